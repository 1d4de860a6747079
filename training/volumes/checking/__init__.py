"""Look volumes over before training: what is in them, and what is wrong."""
