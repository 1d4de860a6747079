"""Measure what lies on both sides of each boundary: how the image steps from one region to the next."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

import numpy as np
import numpy.typing as npt

from cpunet.steps.runs import Places, Runs, chosen_runs, runs_of, stretches

# What lies so far from a boundary says nothing of its other side: an outline is a few pixels wide.
REACH_PX = 64
# Brightness is that of so many pixels beside the boundary, so that uneven light does not count.
DEPTH_PX, LEAST_DEPTH_PX = 6, 3
# Brightness is counted in whole numbers of these parts, so that sums are exact, and the same by tile as in one piece.
PARTS = 4096
# So many rows above and below a part of an image say all of the boundaries in it.
MARGIN_PX = REACH_PX + DEPTH_PX + 1
# A boundary bulges if fewer of so many places, in circles around both middle pixels of a crossing, lie on one side.
CIRCLE_PX, PLACES = 10, 32
CROSSINGS_AT_A_TIME = 2**16
Whole = npt.NDArray[np.int64]


class Rims(NamedTuple):
    """The pairs of regions that only a boundary parts, each pair once.

    A crossing is a place where a row or a column leaves one region, and enters another within `REACH_PX`. All sums are
    whole numbers; those of brightness have the unit 1 / (`PARTS` `DEPTH_PX`).

    Attributes
    ----------
    first, second : ndarray of shape (n,), int64
        The numbers of the two regions; the first is the lower one.
    crossings : ndarray of shape (n,), int64
        How often rows and columns cross this boundary: about its length in pixels.
    steps : ndarray of shape (n, 2 C), int64
        Sums over the crossings: the brightness of the first region less that of the second, by channel; then its
        roughness, which is the sum of the changes from pixel to pixel, less that of the second. Where a row or column
        has fewer than `LEAST_DEPTH_PX` pixels of one of them, the roughness does not count.
    ridges : ndarray of shape (n, 2 C), int64
        Sums of what a step must exceed to be one. For the brightness, how far that in the middle of the boundary is
        from the mean of both sides; for the roughness, half of that of the smoother side.
    bulges : ndarray of shape (n,), int64
        The sum of how many of `PLACES` around a crossing lie in the second region, less those in the first: above 0 if
        the first bulges into the second. Crossings within `CIRCLE_PX` of the frame do not count.
    """

    first: Whole
    second: Whole
    crossings: Whole
    steps: Whole
    ridges: Whole
    bulges: Whole


def rims_of(
    regions: npt.NDArray[np.int32],
    channels: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]] = None,
    own: Optional[slice] = None,
) -> Rims:
    """Measure the boundaries between regions.

    Parameters
    ----------
    regions : ndarray of shape (Y, X), int32
        0 is boundary, or not usable.
    channels : ndarray of shape (C, Y, X), float32
        The prepared image.
    usable : ndarray of shape (Y, X), bool, optional
        No boundary leads over a pixel that is not usable.
    own : slice, optional
        Rows whose crossings are counted: those in which a row or a column enters a region. Of a part of a mosaic,
        these are all but a margin of `MARGIN_PX` rows. All rows by default.

    Returns
    -------
    Rims
    """
    first_row, last_row, _ = (own or slice(None)).indices(regions.shape[0])
    found = [none_of(len(channels))]
    for down in (False, True):
        lines = np.ascontiguousarray(regions.T) if down else regions
        runs, line = runs_of(lines), max(1, lines.shape[1])
        before = _before_crossings(runs, line)
        entered = runs.first[before + 1]
        row = entered % line if down else entered // line
        before = before[(row >= first_row) & (row < last_row)]
        for begin in range(0, len(before), CROSSINGS_AT_A_TIME):
            part = before[begin : begin + CROSSINGS_AT_A_TIME]
            left, right = chosen_runs(runs, part), chosen_runs(runs, part + 1)
            found.append(_measured(left, right, regions, channels, usable, down))
    return joined_rims(found)


def none_of(channels: int) -> Rims:
    """Return no boundary of an image of so many channels."""
    none, nothing = np.zeros(0, np.int64), np.zeros((0, 2 * channels), np.int64)
    return Rims(none, none, none, nothing, nothing, none)


def _before_crossings(runs: Runs, line: int) -> Places:
    """Return the indices of the runs after which a line crosses into the next run, of another region."""
    end = runs.first + runs.length
    gap = runs.first[1:] - end[:-1]
    crosses = (gap > 0) & (gap <= REACH_PX) & (runs.number[1:] != runs.number[:-1])
    crosses &= runs.first[1:] // line == runs.first[:-1] // line
    return np.flatnonzero(crosses)


def _measured(
    left: Runs,
    right: Runs,
    regions: npt.NDArray[np.int32],
    channels: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    down: bool,
) -> Rims:
    """Measure crossings from a run of one region, along a row or `down` a column, to a run of another."""
    height, width = channels.shape[1:]

    def in_image(places: Places) -> Places:
        return places % height * width + places // height if down else places

    end = left.first + left.length
    gap = right.first - end
    if usable is not None:
        between = usable.reshape(-1)[in_image(stretches(end, gap))]
        whole = np.logical_and.reduceat(between, np.cumsum(gap) - gap)
        left, right, end, gap = chosen_runs(left, whole), chosen_runs(right, whole), end[whole], gap[whole]
    away = np.arange(DEPTH_PX)
    inside = np.minimum(away, left.length[:, np.newaxis] - 1), np.minimum(away, right.length[:, np.newaxis] - 1)
    sides = in_image(end[:, np.newaxis] - 1 - inside[0]), in_image(right.first[:, np.newaxis] + inside[1])
    middle = in_image(end + gap // 2)
    deep = (left.length >= LEAST_DEPTH_PX) & (right.length >= LEAST_DEPTH_PX)
    changes_of = [np.clip(each.length, LEAST_DEPTH_PX, DEPTH_PX) - 1 for each in (left, right)]
    steps, ridges = np.zeros((2, len(gap), 2 * len(channels)), np.int64)
    for channel, plane in enumerate(channels):
        flat = plane.reshape(-1)
        values = [_parts(flat[places]) for places in sides]
        one, other = (each.sum(axis=1) for each in values)
        steps[:, channel] = one - other
        ridges[:, channel] = np.abs(DEPTH_PX * _parts(flat[middle]) - (one + other) // 2)
        one, other = (
            deep * np.abs(np.diff(each, axis=1)).sum(axis=1) * (DEPTH_PX - 1) // changes
            for each, changes in zip(values, changes_of)
        )
        steps[:, len(channels) + channel] = one - other
        ridges[:, len(channels) + channel] = np.minimum(one, other) // 2
    bulges = np.zeros(len(gap), np.int64)
    for each in (middle, in_image(end + (gap - 1) // 2)):
        bulges += _places_in(right.number, each, regions) - _places_in(left.number, each, regions)
    swapped = left.number > right.number
    first, second = np.where(swapped, (right.number, left.number), (left.number, right.number)).astype(np.int64)
    steps[swapped] *= -1
    bulges[swapped] *= -1
    return Rims(first, second, np.ones(len(first), np.int64), steps, ridges, bulges)


def _places_in(number: npt.NDArray[np.int32], middle: Places, regions: npt.NDArray[np.int32]) -> Whole:
    """Count the places in a circle around each pixel, given by its place in the flat image, that are of a region."""
    height, width = regions.shape
    y, x = np.divmod(middle, width)
    whole = np.flatnonzero((y >= CIRCLE_PX) & (y < height - CIRCLE_PX) & (x >= CIRCLE_PX) & (x < width - CIRCLE_PX))
    found = np.zeros(len(middle), np.int64)
    for turn in np.arange(PLACES // 2) * 4 * np.pi / PLACES:
        step = int(np.rint(CIRCLE_PX * np.sin(turn))) * width + int(np.rint(CIRCLE_PX * np.cos(turn)))
        found[whole] += regions.reshape(-1)[middle[whole] + step] == number[whole]
    return found


def _parts(values: npt.NDArray[np.float32]) -> Whole:
    parts: Whole = np.rint(values * np.float32(PARTS)).astype(np.int64)
    return parts


def joined_rims(parts: Sequence[Rims]) -> Rims:
    """Return the boundaries of several parts of an image, each pair of regions once, sorted by both numbers."""
    rims = Rims(*(np.concatenate(each) for each in zip(*parts)))
    if not len(rims.first):
        return rims
    order = np.lexsort((rims.second, rims.first))
    first, second = rims.first[order], rims.second[order]
    begins = np.flatnonzero(np.append(True, (np.diff(first) != 0) | (np.diff(second) != 0)))
    sums = (np.add.reduceat(each[order], begins, axis=0) for each in rims[2:])
    return Rims(first[begins], second[begins], *sums)
