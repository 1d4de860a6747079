"""Label the connected regions of a mask that is seen band by band, with the numbers of one piece."""

from __future__ import annotations

from typing import List, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cpunet.mosaic.disk_array import DiskArray

Labels = npt.NDArray[np.int32]


class Regions(NamedTuple):
    """Connected regions of a mosaic, 1..n in the order of their first pixel, row by row.

    Attributes
    ----------
    parts : DiskArray of shape (Y, X), int32
        The number of the part of a region within its band.
    number_of_part : ndarray of int32
        The number of the region, by that of the part; 0 for the background.
    pixels : ndarray of int
        By region, from 0 on.
    windows : ndarray of shape (n + 1, 4)
        By region: its first row, the row after its last, its first column, and the column after its last.
    """

    parts: DiskArray
    number_of_part: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]

    @property
    def highest(self) -> int:
        """The number of the last region."""
        return len(self.pixels) - 1

    def read(self, rows: slice, columns: slice = slice(None)) -> Labels:
        """Return the numbers of the regions in a part of the mosaic."""
        numbers: Labels = self.number_of_part[self.parts.read(rows, columns)]
        return numbers


class RegionsByBand:
    """Collects the regions of bands that follow each other from top to bottom.

    Notes
    -----
    Regions are connected by a pixel's side. Parts that meet where two bands do are of one region: the connected
    components of the graph of such pairs. The parts are numbered in the order of their first pixel, so that of the
    region is that of its smallest part.
    """

    def __init__(self, parts: DiskArray) -> None:
        self._parts = parts
        self._highest = 0
        self._above: Labels = np.zeros(parts.shape[1], np.int32)
        self._pairs: List[npt.NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
        self._pixels: List[npt.NDArray[np.int64]] = []
        self._windows: List[npt.NDArray[np.int64]] = []

    def add(self, rows: slice, mask: npt.NDArray[np.bool_]) -> Labels:
        """Add the next band (y, X), and return the numbers of its parts."""
        labels: Labels
        labels, count = ndimage.label(mask, output=np.int32)
        self._pixels.append(np.bincount(labels.ravel(), minlength=count + 1)[1:])
        windows = ndimage.find_objects(labels)
        self._windows.append(
            np.array([(y.start, y.stop, x.start, x.stop) for y, x in windows], np.int64).reshape(-1, 4)
            + np.array([rows.start, rows.start, 0, 0])
        )
        labels[labels > 0] += self._highest
        self._highest += count
        meet = (self._above > 0) & (labels[0] > 0)
        if meet.any():
            self._pairs.append(np.unique(np.stack([self._above[meet], labels[0][meet]], axis=1), axis=0))
        self._above = labels[-1].copy()
        self._parts.write(labels, rows)
        return labels

    def finish(self) -> Regions:
        """Join the parts."""
        pairs, size = np.concatenate(self._pairs), self._highest + 1
        graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
        count, component = connected_components(graph, directed=False)
        smallest = np.full(count, size, np.int64)
        np.minimum.at(smallest, component, np.arange(size))
        number = np.empty(count, np.int32)
        number[np.argsort(smallest)] = np.arange(count, dtype=np.int32)
        number_of_part = number[component]
        pixels = np.zeros(count, np.int64)
        windows = np.tile(np.array([2**62, 0, 2**62, 0]), (count, 1))
        own = number_of_part[1:]
        if len(own):
            np.add.at(pixels, own, np.concatenate(self._pixels))
            of_parts = np.concatenate(self._windows)
            for side, extreme in enumerate((np.minimum, np.maximum, np.minimum, np.maximum)):
                extreme.at(windows[:, side], own, of_parts[:, side])
        return Regions(self._parts, number_of_part, pixels, windows)
