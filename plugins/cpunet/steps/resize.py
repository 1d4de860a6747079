"""Enlarge or shrink an image for the network, and bring its probabilities back."""

from __future__ import annotations

from typing import Callable, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.transform import resize

# Standard deviations within which scipy's Gaussian filter looks at pixels.
GAUSSIAN_REACH = 4.0


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


def resized_part(
    read: Callable[[slice, slice], npt.NDArray[np.float32]],
    shape: Tuple[int, int],
    new_shape: Tuple[int, int],
    rows: slice,
    columns: slice,
) -> npt.NDArray[np.float32]:
    """Return a part of what `resize_planes` makes of planes of which parts can be read.

    Parameters
    ----------
    read : callable
        Returns the planes (C, y, x) of some rows and columns.
    shape, new_shape : tuple of int
        Height and width of the planes, before and after.
    rows, columns : slice
        The part, of the new height and width.

    Returns
    -------
    ndarray of shape (C, y, x), float32
        The same as in one piece but for rounding: old versions of scikit-image compute places in single precision,
        which is coarser in a large image.
    """
    if tuple(shape) == tuple(new_shape):
        return read(rows, columns)
    shrinks = new_shape[0] < shape[0] or new_shape[1] < shape[1]
    factors = [old / new for old, new in zip(shape, new_shape)]
    sigmas = [max(0.0, (factor - 1) / 2) if shrinks else 0.0 for factor in factors]
    places, around = [], []
    for axis, factor, sigma, size in zip((rows, columns), factors, sigmas, shape):
        place = np.clip((np.arange(axis.start, axis.stop) + 0.5) * factor - 0.5, 0, size - 1)
        reach = int(GAUSSIAN_REACH * sigma + 0.5)
        first, last = max(0, int(place[0]) - reach), min(size, int(place[-1]) + 2 + reach)
        around.append(slice(first, last))
        places.append(place - first)
    part = read(*around)
    for axis_number, sigma in enumerate(sigmas, start=1):
        if sigma:
            part = ndimage.gaussian_filter1d(part, sigma, axis_number, mode="nearest")
    for axis_number, place in enumerate(places, start=1):
        below = np.minimum(place.astype(np.intp), part.shape[axis_number] - 1)
        above = np.minimum(below + 1, part.shape[axis_number] - 1)
        share = (place - below).reshape([-1 if axis == axis_number else 1 for axis in range(3)])
        part = (1 - share) * np.take(part, below, axis_number) + share * np.take(part, above, axis_number)
    return part.astype(np.float32)
