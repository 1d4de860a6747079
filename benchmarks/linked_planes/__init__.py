"""How the regions of the planes of a stack are linked to objects: on drawn nuclei, and on embryos."""
