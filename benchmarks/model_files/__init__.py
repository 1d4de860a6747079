"""Broken model files: each must be read or refused."""
