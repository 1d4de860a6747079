"""Labeled images as another magnification would show them."""

from typing import TypeVar

import numpy as np
from skimage.transform import resize

Labeled = TypeVar("Labeled")


def resized(truth: Labeled, factor: float) -> Labeled:
    """Enlarge a labeled image; below 1 shrinks it.

    Parameters
    ----------
    truth : object
        With ``id``, ``image`` of shape (Y, X) or (Y, X, C), integer, and ``labels`` of shape (Y, X).
    factor : float

    Returns
    -------
    object
        Of the same type. The image is interpolated linearly, smoothed first where it shrinks, in its own dtype;
        each pixel of the labels is the nearest one.
    """
    shape = tuple(round(size * factor) for size in truth.labels.shape)
    kept = {"mode": "edge", "preserve_range": True}
    image = resize(truth.image, (*shape, *truth.image.shape[2:]), order=1, anti_aliasing=factor < 1, **kept)
    labels = resize(truth.labels, shape, order=0, anti_aliasing=False, **kept)
    return type(truth)(truth.id, np.rint(image).astype(truth.image.dtype), labels.astype(np.int32))
