"""The steps from an image to objects, one a file: arrays in, arrays out."""
