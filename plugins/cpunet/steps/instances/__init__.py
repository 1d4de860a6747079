"""Objects that a network gives itself: found in tiles, the same ones told across seams, and drawn as labels."""
