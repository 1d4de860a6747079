"""Enlarge or shrink an image for the network, and bring its probabilities back."""

from __future__ import annotations

from typing import Tuple

import numpy as np
import numpy.typing as npt
from skimage.transform import resize


def rescale(image: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float32]:
    """Enlarge (C, Y, X) by `scale`; height and width are at least one pixel."""
    return resize_planes(image, (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[2] * scale))))


def resize_planes(planes: npt.NDArray[np.float32], shape: Tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resample each plane to another height and width.

    Parameters
    ----------
    planes : ndarray of shape (C, Y, X), float32
    shape : tuple of int
        The new height and width.

    Returns
    -------
    ndarray of shape (C, *shape), float32
        Interpolated linearly, and smoothed first where it shrinks. `planes` itself if it has the shape already.
    """
    if planes.shape[1:] == tuple(shape):
        return planes
    shrinks = shape[0] < planes.shape[1] or shape[1] < planes.shape[2]
    resized = np.empty((len(planes), *shape), np.float32)
    for plane, target in zip(planes, resized):
        target[:] = resize(plane, shape, order=1, mode="edge", anti_aliasing=shrinks, preserve_range=True)
    return resized
