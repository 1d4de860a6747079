"""Encoders beside each other: the same data, steps and schedule, scored on data sets that none of them saw."""
