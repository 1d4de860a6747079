"""Fill what was not measured with a mirror image of what lies beside it, so that the network sees no edge there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# Farther from the image, nothing reaches into it: the largest halo of the shipped models is 96 pixels.
REACH_PX = 96
# The nearest measured pixels are searched in parts of this side, because their places take 16 bytes a pixel.
PART_PX = 1024
# Defects of so many pixels across are filled and then count as measured: a dead pixel, row or column of a camera would
# otherwise cut the objects that it crosses.
DEFECT_PX = 3


def fill(channels: npt.NDArray[np.float32], empty: npt.NDArray[np.bool_]) -> None:
    """Fill the pixels that were not measured, in place.

    Parameters
    ----------
    channels : ndarray of shape (C, Y, X), float32
        Changed where `empty` is True, and only read elsewhere.
    empty : ndarray of shape (Y, X), bool

    Notes
    -----
    Each pixel gets the value of its mirror image about the nearest measured pixel or, where that was not measured
    either, the value of the nearest measured pixel. Pixels `REACH_PX` away from all measured ones, which the network's
    halo does not reach, get the median of a channel.
    """
    height, width = empty.shape
    for plane in channels:
        measured = plane[:: 1 + height // 512, :: 1 + width // 512][~empty[:: 1 + height // 512, :: 1 + width // 512]]
        plane[empty] = np.median(measured) if measured.size else 0.0
    for top in range(0, height, PART_PX):
        for left in range(0, width, PART_PX):
            fill_part(channels, empty, slice(top, min(top + PART_PX, height)), slice(left, min(left + PART_PX, width)))


def fill_part(channels: npt.NDArray[np.float32], empty: npt.NDArray[np.bool_], rows: slice, columns: slice) -> None:
    """Fill the unmeasured pixels of a part that are within `REACH_PX` of a measured one; see `fill`.

    `channels` (C, Y, X) and `empty` (Y, X) must reach `REACH_PX` farther than the part, or to the image's frame.
    """
    if not empty[rows, columns].any():
        return
    around = (
        slice(max(0, rows.start - REACH_PX), rows.stop + REACH_PX),
        slice(max(0, columns.start - REACH_PX), columns.stop + REACH_PX),
    )
    part = empty[around]
    if part.all():
        return
    distance, nearest = ndimage.distance_transform_edt(part, return_indices=True)
    own = np.zeros(part.shape, bool)
    first = rows.start - around[0].start, columns.start - around[1].start
    own[first[0] : first[0] + rows.stop - rows.start, first[1] : first[1] + columns.stop - columns.start] = True
    y, x = np.nonzero(part & own & (distance <= REACH_PX))
    near_y, near_x = nearest[:, y, x]
    mirror_y, mirror_x = 2 * near_y - y, 2 * near_x - x
    outside = (mirror_y < 0) | (mirror_x < 0) | (mirror_y >= part.shape[0]) | (mirror_x >= part.shape[1])
    mirror_y[outside], mirror_x[outside] = near_y[outside], near_x[outside]
    unmeasured = part[mirror_y, mirror_x]
    mirror_y[unmeasured], mirror_x[unmeasured] = near_y[unmeasured], near_x[unmeasured]
    for plane in channels:
        view = plane[around]
        view[y, x] = view[mirror_y, mirror_x]


def defects(empty: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the unmeasured pixels (Y, X) that no square of more than `DEFECT_PX` pixels covers: points and lines."""
    values = empty.view(np.uint8)
    for extreme, origin in ((ndimage.minimum_filter1d, 0), (ndimage.maximum_filter1d, -1)):
        for axis in (0, 1):
            values = extreme(values, DEFECT_PX + 1, axis=axis, origin=origin, mode="nearest")
    thin: npt.NDArray[np.bool_] = empty & (values == 0)
    return thin
