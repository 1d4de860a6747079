"""Outlines of objects as SVG paths, which a browser draws sharp at any zoom and on which it finds what is clicked."""

from __future__ import annotations

from typing import Any, List, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

# Outlines are straightened where they move by less, in pixels: half the size, and nothing that an eye sees.
TOLERANCE_PX = 0.3


class ObjectOutline(NamedTuple):
    """An object's number in its label image, and its outline as the ``d`` of an SVG path, in half pixels."""

    number: int
    path: str


def outline_paths(labels: npt.NDArray[np.integer]) -> List[ObjectOutline]:
    """Trace the outline of each object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background; numbers may have gaps.

    Returns
    -------
    list of ObjectOutline
        In the order of their numbers. A unit is half a pixel, and the origin the outer corner of the first pixel, so
        that all coordinates are whole numbers. Holes and separate parts of an object are parts of its path.

    Examples
    --------
    >>> import numpy as np
    >>> outline_paths(np.array([[0, 0, 0], [0, 7, 0], [0, 0, 0]]))
    [ObjectOutline(number=7, path='M3 4l-1 -1l1 -1l1 1z')]
    """
    numbers = np.unique(labels[labels > 0])
    compact = np.searchsorted(numbers, labels) + 1
    compact[labels <= 0] = 0
    boxes = ndimage.find_objects(compact)
    return [
        ObjectOutline(int(number), _path(compact[box] == place, box[0].start, box[1].start))
        for place, (number, box) in enumerate(zip(numbers, boxes), start=1)
    ]


def _path(mask: npt.NDArray[np.bool_], top: int, left: int) -> str:
    parts = []
    for contour in find_contours(np.pad(mask, 1).astype(np.float64), 0.5):
        # A contour lies between the centers of pixels, of which the first is now that of the padding.
        line = approximate_polygon(contour, TOLERANCE_PX) + np.array([top - 0.5, left - 0.5])
        parts.append(_closed(np.round(2 * line).astype(int)))
    return "".join(parts)


def _closed(line: npt.NDArray[Any]) -> str:
    """Write a closed line (N, 2), of rows and columns, whose last point is its first."""
    steps = "".join(f"l{x} {y}" for y, x in np.diff(line[:-1], axis=0))
    return f"M{line[0, 1]} {line[0, 0]}{steps}z"
