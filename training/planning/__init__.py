"""Decide how to train before hours are spent."""
