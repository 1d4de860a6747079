"""Fill the holes of objects on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.mosaic.disk_array import DiskArray, bands_of
from cpunet.mosaic.objects.components import Regions, RegionsByBand

Labels = npt.NDArray[np.int32]
Pairs = List[Tuple[Labels, Labels]]


def fill_holes_of_mosaic(labels: DiskArray, folder: Path) -> None:
    """Fill each hole that is surrounded by one object; see `cpunet.steps.filters.fill_holes`.

    Notes
    -----
    1. The regions of the background are labeled band by band.
    2. Those that reach the frame, or touch several objects, are no holes.
    3. The pixels of the others get the label of their only neighbor.
    """
    by_band = RegionsByBand(DiskArray.create(folder / "regions", labels.shape, np.int32))
    for rows in bands_of(labels.shape):
        by_band.add(rows, labels.read(rows) == 0)
    spaces = by_band.finish()
    filling = _filling(labels, spaces)
    if not filling.any():
        return
    for rows in bands_of(labels.shape):
        own = labels.read(rows)
        labels.write(np.where(own == 0, filling[spaces.read(rows)], own), rows)


def _filling(labels: DiskArray, spaces: Regions) -> Labels:
    """Return the label that fills each region of the background; 0 for what is no hole."""
    least = np.full(spaces.highest + 1, np.iinfo(np.int32).max, np.int32)
    most = np.zeros(spaces.highest + 1, np.int32)
    outside = np.zeros(spaces.highest + 1, bool)
    outside[0] = True
    for rows in bands_of(labels.shape):
        around = slice(max(0, rows.start - 1), rows.stop)
        own, space = labels.read(around), spaces.read(around)
        for numbers, places in _beside(own, space):
            np.minimum.at(least, places, numbers)
            np.maximum.at(most, places, numbers)
        for frame in (space[:, 0], space[:, -1]):
            outside[frame] = True
        if rows.start == 0:
            outside[space[0]] = True
        if rows.stop == labels.shape[0]:
            outside[space[-1]] = True
    return np.where(~outside & (least == most), most, 0).astype(np.int32)


def _beside(labels: Labels, spaces: Labels) -> Pairs:
    """Return the label and the region of the background of all pixels that lie side by side."""
    found: Pairs = []
    for axis in (0, 1):
        before = tuple(slice(None, -1) if each == axis else slice(None) for each in (0, 1))
        after = tuple(slice(1, None) if each == axis else slice(None) for each in (0, 1))
        for one, other in ((before, after), (after, before)):
            touch = (labels[one] > 0) & (spaces[other] > 0)
            found.append((labels[one][touch], spaces[other][touch]))
    return found
