"""Which pixels an outline encloses.

A pixel belongs to an outline if its center lies inside. Coordinates are (x, y) in pixels from the image's upper left
corner, so that the pixel of column 0 and row 0 has its center at (0.5, 0.5). ImageJ (areas), QuPath and COCO do so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import LabelFileError

Pixels = NDArray[np.intp]
# Beyond this, a coordinate is of no image, and sums of such coordinates lose the pixel.
LARGEST_COORDINATE = 1e8
MOST_CROSSINGS = 50_000_000
POINTS_OF_A_CURVE = 16
ROUNDING = 1e-8


class Box(NamedTuple):
    """The bounds of an outline, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Polygons:
    """An object of one or more areas.

    Attributes
    ----------
    areas : tuple of tuple of ndarray of shape (n, 2), float64
        Each area is a tuple of rings (x, y): what an odd number of its rings enclose belongs to it, so that a ring
        within another is a hole. The object is the union of its areas.
    """

    areas: tuple[tuple[NDArray[np.float64], ...], ...]

    @property
    def box(self) -> Box:
        """Bounds of all rings."""
        points = np.concatenate([ring for rings in self.areas for ring in rings])
        return Box(*points.min(axis=0), *points.max(axis=0))

    def pixels(self, shape: tuple[int, int]) -> Pixels:
        """Return the indices of the enclosed pixels in the flattened image."""
        parts = [enclosed(rings, shape) for rings in self.areas]
        return parts[0] if len(parts) == 1 else np.unique(np.concatenate(parts))


@dataclass(frozen=True)
class Ellipse:
    """An ellipse whose axes are those of the image, by its bounds."""

    box: Box

    def pixels(self, shape: tuple[int, int]) -> Pixels:
        """Return the indices of the enclosed pixels in the flattened image."""
        left, top, right, bottom = self.box
        rows = np.arange(max(0, int(np.floor(top))), min(shape[0], int(np.ceil(bottom))))
        height = (rows + 0.5 - (top + bottom) / 2) / max((bottom - top) / 2, 1e-9)
        half_width = (right - left) / 2 * np.sqrt(np.clip(1 - height**2, 0, None))
        middle = (left + right) / 2
        starts = np.clip(np.ceil(middle - half_width - 0.5 - ROUNDING), 0, shape[1]).astype(np.int64)
        stops = np.where(np.abs(height) <= 1, _columns_before(middle + half_width, shape), 0)
        return _runs(rows, starts, stops, shape)


@dataclass(frozen=True)
class Mask:
    """An object that is given by its pixels, as indices into the flattened image, and their bounds."""

    indices: Pixels
    box: Box

    def pixels(self, shape: tuple[int, int]) -> Pixels:
        """Return the indices of its pixels."""
        return self.indices


Shape = Polygons | Ellipse | Mask


def ring_of(points: object) -> NDArray[np.float64]:
    """Check the points of a ring.

    Returns
    -------
    ndarray of shape (n, 2), float64
        The first two numbers of each point: x and y.

    Raises
    ------
    LabelFileError
        If they are no points of two numbers, or lie beyond all images.
    """
    try:
        ring = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise LabelFileError("an outline is not a list of points of two numbers (x, y).") from error
    if ring.ndim != 2 or ring.shape[1] < 2 or not len(ring):
        raise LabelFileError(
            f"an outline is not a list of points of two numbers (x, y); its numbers have the shape {ring.shape}."
        )
    if not (np.abs(ring) <= LARGEST_COORDINATE).all():
        raise LabelFileError("an outline has coordinates that are no number, or beyond every image (1e8 pixels).")
    return ring[:, :2]


def enclosed(rings: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> Pixels:
    """Find the pixels whose centers an odd number of rings enclose.

    Parameters
    ----------
    rings : sequence of ndarray of shape (n, 2)
        x and y of each point. The last point is joined to the first.
    shape : tuple of int
        (Y, X) of the image.

    Returns
    -------
    ndarray of shape (m,), intp
        Indices into the flattened image, in order.

    Raises
    ------
    LabelFileError
        If the rings cross the rows of the image more often than outlines of objects do.

    Notes
    -----
    The rows are scanned, as in Foley et al., Computer Graphics, 1990, section 3.6. As in ImageJ's PolygonFiller, a
    center on an upper or right edge is inside, and one on a lower or left edge outside, so that outlines with a common
    edge share no pixel.
    """
    begin = np.concatenate(list(rings))
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    low, high = np.minimum(begin[:, 1], end[:, 1]), np.maximum(begin[:, 1], end[:, 1])
    first = np.clip(np.ceil(low - 0.5), 0, shape[0]).astype(np.int64)
    count = np.clip(np.ceil(high - 0.5), 0, shape[0]).astype(np.int64) - first
    crossings = int(count.sum())
    if crossings > MOST_CROSSINGS:
        raise LabelFileError(
            f"an outline of {len(begin)} points crosses the rows of the image {crossings} times; it is no outline of "
            "an object. Draw it again."
        )
    edge = np.repeat(np.arange(len(begin)), count)
    row = first[edge] + np.arange(crossings) - np.repeat(np.cumsum(count) - count, count)
    steps = end[edge] - begin[edge]
    x = begin[edge, 0] + (row + 0.5 - begin[edge, 1]) * steps[:, 0] / steps[:, 1]
    # Each ring is closed, so that it crosses a row an even number of times: in, out, in, out.
    ordered = np.sort(row * (shape[1] + 1) + _columns_before(x, shape))
    row, column = np.divmod(ordered, shape[1] + 1)
    return _runs(row[::2], column[::2], column[1::2], shape)


def curve(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points on a Bezier curve of two or three degrees, from the one after its start to its end."""
    t = np.arange(1, POINTS_OF_A_CURVE + 1)[:, np.newaxis] / POINTS_OF_A_CURVE
    levels = [np.asarray(point) + 0 * t for point in points]
    while len(levels) > 1:  # de Casteljau's construction
        levels = [(1 - t) * one + t * other for one, other in zip(levels, levels[1:], strict=False)]
    return [(float(x), float(y)) for x, y in levels[0]]


def _columns_before(x: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the columns of the image whose centers are not right of x; rounding errors do not count."""
    return np.clip(np.floor(x + 0.5 + ROUNDING), 0, shape[1]).astype(np.int64)


def _runs(
    rows: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64], shape: tuple[int, int]
) -> Pixels:
    """Return the indices of the pixels from `starts` to before `stops` of each row."""
    lengths = np.maximum(stops - starts, 0)
    begin = np.repeat(rows * shape[1] + starts - (np.cumsum(lengths) - lengths), lengths)
    return (begin + np.arange(lengths.sum())).astype(np.intp)
