"""Draw objects that have boxes and masks: each mask into its box, and each pixel to the nearest center."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.instances import Instances

Plane = npt.NDArray[np.float32]
# A mask is framed by zeros, so that it falls to 0 half of its own pixel beyond its box.
FRAME_PX = 1


class Drawn(NamedTuple):
    """Objects that were drawn in a part of an image.

    Attributes
    ----------
    labels : ndarray of shape (y, x), int32
        0 is background. An object that has no pixel is missing.
    foreground : ndarray of shape (y, x), float32
        0..1: the probability that a pixel lies in an object, which is the highest of all objects there: that of the
        mask times the score.
    """

    labels: npt.NDArray[np.int32]
    foreground: Plane


class _Placed(NamedTuple):
    """A mask on the image's grid: its first row and column, and its values (y, x), 0..1."""

    top: int
    left: int
    values: Plane


def paste_instances(
    instances: Instances,
    numbers: npt.NDArray[np.int32],
    shape: Tuple[int, ...],
    mask_threshold: float,
    rows: Optional[slice] = None,
) -> Drawn:
    """Draw objects as labels.

    Parameters
    ----------
    instances : Instances
        Their boxes are pixels of the image.
    numbers : ndarray of shape (n,), int32
        The label of each, 1 or more. Pieces of one object have the same.
    shape : tuple of int
        Height and width of the image.
    mask_threshold : float
        0..1; pixels of a mask above it belong to its object.
    rows : slice, optional
        The rows that are drawn, with the same result as in one piece; all by default.

    Returns
    -------
    Drawn

    Notes
    -----
    A pixel that several masks claim goes to the object whose center, the mean position of its mask's pixels, is the
    nearest; at the same distance, to that with the lower number.
    """
    rows = slice(0, shape[0]) if rows is None else rows
    height = rows.stop - rows.start
    labels, foreground = np.zeros((height, shape[1]), np.int32), np.zeros((height, shape[1]), np.float32)
    nearest = np.full((height, shape[1]), np.inf, np.float32)
    for place in np.argsort(numbers, kind="stable"):
        top, left, values = mask_in_image(instances.masks[place], instances.boxes[place], shape)
        inside = values > mask_threshold
        first, last = max(top, rows.start) - top, min(top + len(values), rows.stop) - top
        count = int(inside.sum())
        if first >= last or not count:
            continue
        y, x = np.arange(values.shape[0], dtype=np.float32), np.arange(values.shape[1], dtype=np.float32)
        middle_y, middle_x = inside.sum(axis=1) @ y / count, inside.sum(axis=0) @ x / count
        away = ((y[first:last] - middle_y) ** 2)[:, np.newaxis] + (x - middle_x) ** 2
        window = slice(top + first - rows.start, top + last - rows.start), slice(left, left + values.shape[1])
        taken = inside[first:last] & (away < nearest[window])
        labels[window][taken] = numbers[place]
        nearest[window][taken] = away[taken]
        np.maximum(foreground[window], values[first:last] * instances.scores[place], out=foreground[window])
    return Drawn(labels, foreground)


def mask_in_image(mask: Plane, box: npt.NDArray[np.float32], shape: Tuple[int, ...]) -> _Placed:
    """Bring a mask to its box by bilinear interpolation, as far as it lies in an image.

    Parameters
    ----------
    mask : ndarray of shape (M, M), float32
    box : ndarray of shape (4,), float32
        Top, left, bottom and right, pixels.
    shape : tuple of int
        Height and width of the image.

    Returns
    -------
    top, left : int
        The first row and column.
    values : ndarray of shape (y, x), float32
        0..1; of no row or column if the box lies beyond the image.

    Notes
    -----
    The numbers are those of torchvision's `paste_masks_in_image`, with its frame of one pixel of zeros around the
    mask: He et al. 2017, "Mask R-CNN", doi:10.1109/ICCV.2017.322.
    """
    framed = np.pad(mask, FRAME_PX)
    larger = np.float32(len(framed) / len(mask))
    half, middle = (box[2:] - box[:2]) * np.float32(0.5) * larger, (box[2:] + box[:2]) * np.float32(0.5)
    first, last = np.trunc(middle - half).astype(np.int64), np.trunc(middle + half).astype(np.int64)
    values, places = framed, []
    for axis in (0, 1):
        size = max(int(last[axis] - first[axis]) + 1, 1)
        begin, end = max(int(first[axis]), 0), min(int(first[axis]) + size, shape[axis])
        positions = np.arange(begin, max(begin, end)) - int(first[axis])
        at = np.maximum((positions + 0.5) * (len(framed) / size) - 0.5, 0)
        below = np.minimum(at.astype(np.intp), len(framed) - 1)
        above = np.minimum(below + 1, len(framed) - 1)
        share = (at - below).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        values = np.take(values, below, axis) * (1 - share) + np.take(values, above, axis) * share
        places.append(begin)
    return _Placed(places[0], places[1], values)
