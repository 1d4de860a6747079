"""Mask R-CNN beside the shipped models, on images that none of them was trained on."""
