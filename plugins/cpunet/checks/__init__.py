"""Checks of model files and devices, and synthetic nuclei for them."""
