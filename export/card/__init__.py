"""The model card: read, write, measure, check."""
