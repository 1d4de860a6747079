"""The width of the boundaries that a network learns, if it learns nothing else."""
