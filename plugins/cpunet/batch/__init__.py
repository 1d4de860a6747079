"""Run a pipeline on many images in pieces, on one computer or a cluster, and merge what they wrote."""
