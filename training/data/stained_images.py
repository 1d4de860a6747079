"""Stained color images read as the density of one stain: bright nuclei on dark, like fluorescence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2hed

from cpunet.errors import DataError

# What of `rgb2hed` is the stain that a data source names.
STAINS = {"hematoxylin": 0, "eosin": 1, "dab": 2}
COLORS = 3


def stain_density(image: NDArray[np.generic], stain: str) -> NDArray[np.float32]:
    """Return how much of a stain there is in each pixel.

    Parameters
    ----------
    image : ndarray of shape (Y, X, 3) or (Y, X, 4), whole numbers or 0..1
        Red, green and blue; an alpha channel is left out.
    stain : str
        One of `STAINS`.

    Returns
    -------
    ndarray of shape (Y, X), float32
        Optical density, from 0.

    Raises
    ------
    DataError
        If the image is not in color, or its numbers are not those of an image file.

    Notes
    -----
    Color deconvolution: Ruifrok, Johnston 2001, Anal Quant Cytol Histol 23:291-299, as in scikit-image.
    """
    if image.ndim != COLORS or image.shape[2] not in (COLORS, COLORS + 1):
        raise DataError(
            f"the image has the shape {image.shape}; only a color image has a {stain} stain. Leave `stain` out, or "
            "choose the color images by `modalities`."
        )
    if image.dtype.kind == "f" and not (image.min() >= 0 and image.max() <= 1):
        raise DataError(
            f"the image holds numbers from {image.min():.3g} to {image.max():.3g}; a {stain} stain is separated in "
            "whole numbers of 8 or 16 bits, or in numbers from 0 to 1. Save the image as 8 bits."
        )
    density: NDArray[np.float64] = rgb2hed(image[..., :COLORS])[..., STAINS[stain]]
    return density.astype(np.float32)
