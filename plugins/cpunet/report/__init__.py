"""HTML pages of what was found, for the commands of both worlds."""
