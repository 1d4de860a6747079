"""What a network learns from labels with faults: corrupted on purpose, or made by a threshold."""
