"""Segmentation of volumes (Z, Y, X) by networks that see volumes; what planes share with them lies in `steps/`."""
