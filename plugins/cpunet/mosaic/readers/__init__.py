"""Read parts of large image files."""
