"""Find what was not measured of a mosaic, without all of its pixels in the memory."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Protocol, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cpunet.mosaic.disk_array import DiskArray, bands_of
from cpunet.steps.pixels.padding import (
    GRID_PX,
    MIDDLE_PX,
    Samples,
    are_free_of_padding,
    find_padding,
    lines_of_samples,
    sampling_step,
)

# Padding is looked for in all pixels of a mosaic of so many, and otherwise in every second row and column, and so on.
MOST_PIXELS = 2**26
LEAST_SIDE_PX = 48
Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Channels(Protocol):
    """See `cpunet.mosaic.first_pass.ChannelsOfMosaic`."""

    shape: Tuple[int, int]

    def read(self, rows: slice, columns: slice) -> Tuple[npt.NDArray[np.float32], Optional[Mask]]:
        """Return the channels of a part, and which of its pixels are finite."""


def find_padding_of_mosaic(
    channels: Channels, colors: bool, folder: Path
) -> Tuple[Optional[DiskArray], Tuple[str, ...]]:
    """Find padding, and pixels that are not finite.

    Parameters
    ----------
    channels : ChannelsOfMosaic
    colors : bool
        Whether the mean of all channels is looked at, as one color alone may be saturated.
    folder : Path
        For the file of the result.

    Returns
    -------
    empty : DiskArray of shape (Y, X), bool, or None
        None if all pixels were measured.
    notes : tuple of str
        How much padding there is.

    Notes
    -----
    1. The samples that `find_padding` looks at first are collected. Most mosaics hold no padding by them, and that is
       all.
    2. Otherwise `find_padding` sees every pixel or, in a mosaic of more than `MOST_PIXELS`, every k-th of each row and
       column. A pixel within k pixels of the edge of what was found is then padding if it has the padding's value.
    """
    samples, all_finite = _samples(channels, colors)
    large = min(channels.shape) >= LEAST_SIDE_PX
    padding: Optional[_Found] = None
    if large and not all(are_free_of_padding(each) for each in samples):
        padding = _search(channels, colors, samples)
    if padding is None and all_finite:
        return None, ()
    empty = DiskArray.create(folder / "empty", channels.shape, bool)
    share, measured = 0.0, False
    for rows in bands_of(channels.shape):
        planes, finite = _planes(channels, rows, colors)
        gaps = np.zeros(planes[0].shape, bool) if finite is None else ~finite
        filled = np.zeros(gaps.shape, bool) if padding is None else padding.of_band(planes, rows)
        share += np.count_nonzero(filled)
        measured = measured or not (gaps | filled).all()
        empty.write(gaps | filled, rows)
    if padding is None or not share or not measured:
        if all_finite:
            return None, ()
        for rows in bands_of(channels.shape):
            finite = channels.read(rows, slice(0, channels.shape[1]))[1]
            empty.write(np.zeros((), bool) if finite is None else ~finite, rows)
        return empty, ()
    share /= channels.shape[0] * channels.shape[1]
    return empty, (
        f"{share:.1%} of the image are padding: one value, with straight edges, that was not measured. These "
        "pixels set no contrast and belong to no object.",
    )


class _Found:
    """Padding of the planes of which every `step`-th pixel was looked at."""

    def __init__(self, masks: List[Mask], values: List[Plane], step: int, lines: Tuple[Mask, Mask]) -> None:
        self._masks, self._values, self._step, self._lines = masks, values, step, lines

    def of_band(self, planes: List[Plane], rows: slice) -> Mask:
        """Return the padding of a band of rows."""
        step = self._step
        found = self._lines[0][rows, np.newaxis] | self._lines[1]
        first, last = rows.start // step, -(-rows.stop // step)
        own = slice(rows.start - first * step, rows.stop - first * step)
        for plane, mask, values in zip(planes, self._masks, self._values):
            if step == 1:
                found |= mask[rows]
                continue
            above = max(0, first - 2)
            cells = mask[above : last + 2]
            inner, outer = ndimage.binary_erosion(cells, border_value=1), ndimage.binary_dilation(cells)
            inner, outer = (each[first - above :][: last - first] for each in (inner, outer))
            large_inner, large_outer = (
                np.repeat(np.repeat(each, step, axis=0), step, axis=1)[own, : plane.shape[1]] for each in (inner, outer)
            )
            edge = large_outer & ~large_inner
            found |= large_inner
            found[edge] |= np.isin(plane[edge], values)
        return found


def _search(channels: Channels, colors: bool, samples: List[Samples]) -> Optional[_Found]:
    step = 1
    while channels.shape[0] * channels.shape[1] > MOST_PIXELS * step**2:
        step += 1
    masks, values = [], []
    lines = (np.zeros(channels.shape[0], bool), np.zeros(channels.shape[1], bool))
    for number, of_plane in enumerate(samples):
        plane = _reduced(channels, colors, number, step)
        mask = find_padding(plane)
        if mask is None:
            mask = np.zeros(plane.shape, bool)
        masks.append(mask)
        inside = plane[ndimage.binary_erosion(mask, border_value=1)]
        found, counts = np.unique(inside[np.isfinite(inside)], return_counts=True)
        values.append(found[counts >= max(1, inside.size // 100)])
        if step > 1:  # which are thinner than a step
            for line, new in zip(lines, lines_of_samples(of_plane)):
                line |= new
    if not any(mask.any() for mask in masks) and not any(line.any() for line in lines):
        return None
    return _Found(masks, values, step, lines)


def _reduced(channels: Channels, colors: bool, number: int, step: int) -> Plane:
    """Return every `step`-th pixel of a plane; those that are not finite are NaN."""
    parts = []
    for rows in bands_of(channels.shape):
        planes, finite = _planes(channels, rows, colors)
        plane = planes[number] if finite is None else np.where(finite, planes[number], np.float32(np.nan))
        parts.append(plane[-rows.start % step :: step, ::step].copy())
    return np.concatenate(parts)


def _samples(channels: Channels, colors: bool) -> Tuple[List[Samples], bool]:
    """Collect the samples of each plane, and say whether all pixels are finite."""
    height, width = channels.shape
    step_y, step_x = sampling_step(height), sampling_step(width)
    collected: List[List[List[Plane]]] = []
    all_finite = True
    for rows in bands_of(channels.shape):
        planes, finite = _planes(channels, rows, colors)
        all_finite = all_finite and finite is None
        collected = collected or [[[], [], [], []] for _ in planes]
        for plane, (corners, middles, of_rows, of_columns) in zip(planes, collected):
            if finite is not None:
                plane = np.where(finite, plane, np.float32(np.nan))
            corners.append(plane[-rows.start % GRID_PX :: GRID_PX, ::GRID_PX].copy())
            middles.append(plane[(MIDDLE_PX - rows.start) % GRID_PX :: GRID_PX, MIDDLE_PX::GRID_PX].copy())
            of_rows.append(plane[:, ::step_x].copy())
            of_columns.append(plane[-rows.start % step_y :: step_y].T.copy())
    joined = [
        Samples(np.concatenate(a), np.concatenate(b), np.concatenate(c), np.concatenate(d, axis=1))
        for a, b, c, d in collected
    ]
    return joined, all_finite


def _planes(channels: Channels, rows: slice, colors: bool) -> Tuple[List[Plane], Optional[Mask]]:
    """Return the planes of a band in which padding is looked for, and which pixels are finite."""
    part, finite = channels.read(rows, slice(0, channels.shape[1]))
    return ([part.mean(axis=0)] if colors else list(part)), finite
