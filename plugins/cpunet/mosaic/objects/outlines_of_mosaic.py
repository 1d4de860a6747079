"""Draw the outlines of objects on the disk; see `cpunet.steps.outlines.outlines_as_asked`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import Postprocessing
from cpunet.mosaic.disk_array import DiskArray, bands_of
from cpunet.options import Options
from cpunet.steps.outline_shift import shift_outlines
from cpunet.steps.outlines import (
    BAND_OF_NETWORK,
    PULL,
    PULL_WHERE_SHRUNK,
    SHRUNK_BELOW,
    WIDEST_PX,
    find_edges,
    levels_of_objects,
    median_level,
    move_outlines,
)
from cpunet.steps.pixels.channels import brightness

Labels = npt.NDArray[np.int32]
Usable = Callable[[slice, slice], Optional[npt.NDArray[np.bool_]]]
ReadImage = Callable[[slice, slice], npt.NDArray[Any]]
# Around the objects that are drawn, all must be whole that may reach them within so many times their own reach.
NEIGHBORS = 8


class _Objects(NamedTuple):
    """Objects that are drawn together, and all that may reach them.

    Attributes
    ----------
    rows : slice
        The rows that hold them.
    labels : ndarray of shape (y, X), int32
        1..n without gaps.
    numbers : ndarray of int32
        The number of each of these in the mosaic.
    own : ndarray of bool
        Which of these are drawn; the others only surround them.
    """

    rows: slice
    labels: Labels
    numbers: npt.NDArray[np.int32]
    own: npt.NDArray[np.bool_]


def outlines_of_mosaic_as_asked(
    labels: DiskArray,
    image: ReadImage,
    usable: Usable,
    settings: Postprocessing,
    options: Options,
    scale: float,
    folder: Path,
) -> DiskArray:
    """Draw outlines as the options ask, or else the model's card; else anew only if the mosaic was shrunk.

    Returns
    -------
    DiskArray of shape (Y, X), int32
        `labels` itself if nothing is asked for.

    Notes
    -----
    Objects that begin in one band of rows are drawn together. The band is read with so many more rows that all
    neighbors that may reach them are whole.
    """
    if options.outline_level is not None:
        return _drawn_at(options.outline_level, labels, image, usable, scale, folder)
    drawn = _drawn_at(settings.outline_level, labels, image, usable, scale, folder)
    if not settings.outline_shift_px:
        return drawn
    shifted = DiskArray.create(folder / "labels_shifted", labels.shape, np.int32)
    columns = slice(0, labels.shape[1])
    for objects in _groups(drawn, int(np.ceil(abs(settings.outline_shift_px))) + 1):
        moved = shift_outlines(objects.labels, settings.outline_shift_px, usable(objects.rows, columns))
        _keep(shifted, objects, moved)
    return shifted


def _drawn_at(
    level: Optional[float], labels: DiskArray, image: ReadImage, usable: Usable, scale: float, folder: Path
) -> DiskArray:
    """Draw outlines at a level; at None, anew only if the mosaic was shrunk."""
    if level is None and scale >= SHRUNK_BELOW:
        return labels
    columns = slice(0, labels.shape[1])
    reach = NEIGHBORS * 2 * (int(max(WIDEST_PX, BAND_OF_NETWORK / min(scale, 1.0))) + 1)
    pull = PULL if level is not None else PULL_WHERE_SHRUNK
    if level is None:
        levels = []
        for objects in _groups(labels, reach):
            mask = usable(objects.rows, columns)
            edges = find_edges(objects.labels, brightness(image(objects.rows, columns)), mask, scale)
            of_objects = levels_of_objects(objects.labels, edges)[objects.own]
            levels.append(of_objects[np.isfinite(of_objects)])
        level = median_level(np.concatenate(levels)) if levels else None
        if level is None:
            return labels
    drawn = DiskArray.create(folder / "labels_drawn", labels.shape, np.int32)
    for objects in _groups(labels, reach):
        mask = usable(objects.rows, columns)
        edges = find_edges(objects.labels, brightness(image(objects.rows, columns)), mask, scale)
        _keep(drawn, objects, move_outlines(objects.labels, edges, mask, level, pull))
    return drawn


def _groups(labels: DiskArray, reach_px: int) -> Iterator[_Objects]:
    """Yield the objects that begin in each band, with what surrounds them; no group without an object."""
    rows_of, count = _rows_of_objects(labels)
    if not count:
        return
    margin = reach_px + int((rows_of[1:, 1] - rows_of[1:, 0]).max())
    for band in bands_of(labels.shape):
        begin = (rows_of[:, 0] >= band.start) & (rows_of[:, 0] < band.stop)
        begin[0] = False
        if not begin.any():
            continue
        last = int(rows_of[begin, 1].max())
        rows = slice(max(0, band.start - margin), min(labels.shape[0], last + margin))
        numbers, compact = np.unique(labels.read(rows), return_inverse=True)
        places: Labels = compact.reshape(rows.stop - rows.start, -1).astype(np.int32)
        if numbers[0]:  # not a single pixel of background
            numbers, places = np.concatenate([np.zeros(1, numbers.dtype), numbers]), places + np.int32(1)
        yield _Objects(rows, places, numbers, begin[numbers])


def _rows_of_objects(labels: DiskArray) -> Tuple[npt.NDArray[np.int64], int]:
    """Return the first row of each label, and that after its last, and the highest label."""
    found = np.zeros((1, 2), np.int64)
    for rows in bands_of(labels.shape):
        flat = labels.read(rows).ravel()
        numbers, first = np.unique(flat, return_index=True)
        last = flat.size - 1 - np.unique(flat[::-1], return_index=True)[1]
        if numbers[-1] >= len(found):
            more = np.tile(np.array([[-1, 0]]), (int(numbers[-1]) + 1 - len(found), 1))
            found = np.concatenate([found, more])
        new = found[numbers, 0] < 0
        found[numbers[new], 0] = rows.start + first[new] // labels.shape[1]
        found[numbers, 1] = rows.start + last // labels.shape[1] + 1
    return found, len(found) - 1


def _keep(target: DiskArray, objects: _Objects, moved: Labels) -> None:
    """Write the pixels of the objects that were drawn."""
    own = objects.own[moved]
    pixels = target.read(objects.rows)
    pixels[own] = objects.numbers[moved[own]]
    target.write(pixels, objects.rows)
