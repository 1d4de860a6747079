"""The steps from an image to labels, one in each file: arrays in, arrays out."""
