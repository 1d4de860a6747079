"""Measure how fast the module, its stages and its network are, beside what users would run instead."""
