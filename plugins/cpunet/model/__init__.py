"""Models: their cards, the files that hold them, and the sessions that run them."""
