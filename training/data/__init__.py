"""Labeled images on disk: their folders, their index and their splits."""
