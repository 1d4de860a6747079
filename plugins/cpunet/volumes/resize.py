"""Resample a volume to another number of planes, height and width, one axis after the other."""

from __future__ import annotations

from typing import Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage


def resize_volume(volume: npt.NDArray[np.float32], shape: Tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Resample each channel to another number of planes, height and width.

    Parameters
    ----------
    volume : ndarray of shape (C, Z, Y, X), float32
    shape : tuple of int
        The new planes, height and width.

    Returns
    -------
    ndarray of shape (C, *shape), float32
        Interpolated linearly, and smoothed first along each axis that shrinks, as `cpunet.steps.resize.resize_planes`
        does. `volume` itself if it has the shape already.

    Notes
    -----
    Linear interpolation in three directions is one after another in each. So no array of coordinates is needed, and
    the memory stays that of the result and one channel.
    """
    if volume.shape[1:] == tuple(shape):
        return volume
    resized = np.empty((len(volume), *shape), np.float32)
    # What shrinks comes first: the others then have less to do.
    order = sorted(range(3), key=lambda axis: shape[axis] / volume.shape[1 + axis])
    for channel, target in zip(volume, resized):
        for axis in order:
            channel = _resize_axis(channel, axis, shape[axis])
        target[:] = channel
    return resized


def _resize_axis(values: npt.NDArray[np.float32], axis: int, size: int) -> npt.NDArray[np.float32]:
    length = values.shape[axis]
    if length == size:
        return values
    if size < length:
        values = ndimage.gaussian_filter1d(values, (length / size - 1) / 2, axis, mode="nearest")
    place = np.clip((np.arange(size) + 0.5) * (length / size) - 0.5, 0, length - 1)
    below = place.astype(np.intp)
    share = (place - below).astype(np.float32).reshape([-1 if each == axis else 1 for each in range(values.ndim)])
    upper = np.take(values, np.minimum(below + 1, length - 1), axis)
    upper *= share
    resized: npt.NDArray[np.float32] = np.take(values, below, axis)
    resized *= 1 - share
    resized += upper
    return resized
