"""Labeled volumes that are made, not taken: drawn nuclei with real textures, seen through a microscope's optics."""
