"""The formats of image files, one a module: what a file says of itself, and its pixels as it stores them."""
