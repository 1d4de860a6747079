"""Segment images that are larger than the memory, tile by tile, into the labels of one piece."""
