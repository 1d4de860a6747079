"""bioimage.io packages, in and out."""
