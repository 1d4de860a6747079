"""Counts of objects: by objects and by area, flagged where the two disagree, and as curves over time."""
