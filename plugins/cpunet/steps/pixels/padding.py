"""Find pixels that are no measurement: constant surroundings of an image, and constant gaps inside it."""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
Plane = npt.NDArray[Any]

# Regions of one value are looked for in the corners and middles of such cells first.
GRID_PX, MIDDLE_PX = 8, 4
# A region has this thickness somewhere. Thinner padding is found as lines across the whole image.
THICKNESS_PX = 9
# Outside, padding lies along so much of a side of the frame. Inside, it is at least so thick, unless there is padding
# of that value outside as well: a smaller region of one value is an object that is saturated, or drawn.
LEAST_OF_SIDE, LEAST_INNER_PX = 1 / 8, 96
# Smaller regions move neither the contrast nor the scale.
LEAST_AREA_PX, LEAST_SHARE = 64, 5e-4
# The edge of a pasted image is straight: at least this share of it lies in straight lines of `STRAIGHT_PX` along the
# image's axes, or, if the region reaches the frame, halves a window of `WINDOW_PX`.
LEAST_STRAIGHT, STRAIGHT_PX, WINDOW_PX, HALF = 0.7, 16, 33, (0.42, 0.58)
# Beside a pasted image's edge, its pixels differ from the padding nearly as much as farther inside. The dark or
# saturated part of a real image fades into the rest.
LEAST_STEP = 0.6
# Within 3 pixels of a sharp edge, few pixels lie between the padding and the image: ripple, or the mixed pixels of a
# frame that was turned. In shares of the step.
FADING, MOST_FADING = (0.12, 0.6), 0.35
# A smaller difference, as a share of the image's range, moves no contrast.
LEAST_CONTRAST = 0.05
# A value that is as frequent beside the region is the image's own background.
MOST_BESIDE = 0.3
# What is nearer to the padding's value than this share of the usual difference belongs to it.
NEAR_VALUE = 0.35
# A frame that was turned has more such mixed pixels among those beside its edge than noise makes.
LEAST_MIXED = 0.05
# So much of a region has its value exactly.
LEAST_EXACT = 0.25
# Lines across the image are thinner than this, and compared with the lines at these distances.
LINE_PX, BESIDE_PX = 16, (6, 11, 16)
# A line's values spread over less than this share of its difference from the lines beside it.
MOST_SPREAD = 0.25
# What is left of an image must hold so many values: a drawing of a few grays is no measurement.
LEAST_VALUES = 8


def find_padding(plane: Plane) -> Optional[Mask]:
    """Find the parts of an image that were not measured, but filled with one value.

    Parameters
    ----------
    plane : ndarray of shape (Y, X), any real dtype
        One channel. Pixels that are not finite belong to no padding.

    Returns
    -------
    ndarray of shape (Y, X), bool, or None
        True where the image was filled. None if it was filled nowhere.

    Notes
    -----
    Stitched mosaics and registered, turned or cropped frames are filled with black, white or another value. Such
    regions differ from the dark background or the saturated parts of an image in four ways, and must in all of them:

    1. Their value is rare beside them.
    2. They are thick, or lines across the whole image.
    3. Their edges are straight.
    4. The image does not fade into them.

    Pixels near the value count as well, because JPEG files ripple beside an edge, and a frame that was turned has mixed
    pixels there. Regions whose value hardly differs from what is beside them are not looked for, because they do not
    change the contrast.
    """
    if min(plane.shape) < 3 * LINE_PX:
        return None
    plane = plane.astype(np.float32, copy=False)
    padding: Optional[Mask] = None
    corner, flat = _flat_cells(plane[::GRID_PX, ::GRID_PX], plane[MIDDLE_PX::GRID_PX, MIDDLE_PX::GRID_PX])
    if flat.any():
        rest = np.isfinite(corner)
        for value, usual, large in _steps_of_values(corner, flat, rest):
            region = _region_of_value(plane, value, usual, large)
            if region is not None:
                padding = region if padding is None else padding | region
                rest &= ~region[::GRID_PX, ::GRID_PX][: rest.shape[0], : rest.shape[1]]
    for lines in _lines_across(plane, padding):
        padding = lines if padding is None else padding | lines
    if padding is None or not _is_measured(plane[~padding]):
        return None
    return padding


class Samples(NamedTuple):
    """The pixels of a plane (Y, X) of float32 that are looked at first; not finite where nothing was measured.

    Attributes
    ----------
    corners, middles : ndarray
        ``plane[::GRID_PX, ::GRID_PX]`` and ``plane[MIDDLE_PX::GRID_PX, MIDDLE_PX::GRID_PX]``.
    of_rows, of_columns : ndarray of shape (Y, n) and (X, m)
        Of each row and of each column, the pixels at a distance of `sampling_step`.
    """

    corners: Plane
    middles: Plane
    of_rows: Plane
    of_columns: Plane


def sampling_step(length: int) -> int:
    """Return the distance at which a row or column of this length is sampled."""
    return max(1, length // 48)


def are_free_of_padding(samples: Samples) -> bool:
    """Return True if `find_padding` finds none in the plane that the samples are of, before it looks at the rest."""
    corner, flat = _flat_cells(samples.corners, samples.middles)
    if flat.any() and next(_steps_of_values(corner, flat, np.isfinite(corner)), None) is not None:
        return False
    return not any(lines.any() for lines in lines_of_samples(samples))


def lines_of_samples(samples: Samples) -> Tuple[Mask, Mask]:
    """Say of each row, and of each column, whether it is filled; see `find_padding`."""
    rows, columns = (_thin_lines(np.sort(each, axis=1)) for each in (samples.of_rows, samples.of_columns))
    return rows, columns


def _flat_cells(corners: Plane, middles: Plane) -> Tuple[Plane, Mask]:
    """Return the pixels at the upper left corners of the grid's cells, and which cells have one value.

    A cell is judged by its four corners and its middle.
    """
    height, width = corners.shape[0] - 1, corners.shape[1] - 1
    corner = corners[:height, :width]
    flat = corner == middles[:height, :width]
    for row, column in ((0, 1), (1, 0), (1, 1)):
        flat &= corner == corners[row : row + height, column : column + width]
    return corner, flat


def _steps_of_values(corner: Plane, flat: Mask, rest: Mask) -> Iterator[Tuple[np.float32, float, float]]:
    """Yield the values of flat cells that may be padding, by the samples alone.

    With each value come the usual and the large difference of the `rest` of the samples from it, which the caller may
    make smaller between two values.
    """
    values, counts = np.unique(corner[flat], return_counts=True)
    usual_value = np.median(corner[rest & ~flat]) if (rest & ~flat).any() else 0.0
    candidates = dict.fromkeys([*values[:1], *values[-1:], *values[np.argsort(-counts)[:3]]])
    # The farthest first, so that the difference of a nearer value is not judged by it.
    for value in sorted(candidates, key=lambda each: -abs(each - usual_value)):
        cells, difference = flat & (corner == value), np.abs(corner - value)
        different = difference[rest & (difference > 0)]
        if not different.size:
            continue
        usual, large = np.percentile(different, (50, 99))
        if usual < LEAST_CONTRAST * large:
            continue
        beside = difference[_dilated(cells, 4) & ~_dilated(cells, 2)]
        edge = difference[_dilated(cells, 2) & ~cells]
        fading = (edge > FADING[0] * usual) & (edge < FADING[1] * usual)
        if (
            np.count_nonzero(beside == 0) <= MOST_BESIDE * beside.size
            and np.count_nonzero(fading) <= MOST_FADING * edge.size
        ):
            yield value, float(usual), float(large)


def _region_of_value(plane: Plane, value: np.float32, usual: float, large: float) -> Optional[Mask]:
    """Return the regions of one value that are thick, with straight and sharp edges; None if there is none."""
    difference = np.abs(plane - value)
    like = difference <= NEAR_VALUE * usual
    thick = _opened(like)
    names, count = ndimage.label(thick)
    if not count:
        return None
    areas = np.bincount(names.ravel(), minlength=count + 1)
    exact = np.bincount(names[difference == 0], minlength=count + 1)
    large_enough = (areas >= LEAST_AREA_PX) & (exact >= LEAST_EXACT * areas)
    parts = ndimage.find_objects(names)
    chosen = [number for number in range(1, count + 1) if large_enough[number]]
    outer = [number for number in chosen if _lies_along_the_frame(names, parts[number - 1], number)]
    if not outer:
        chosen = [n for n in chosen if min(s.stop - s.start for s in parts[n - 1]) >= LEAST_INNER_PX]
    if not chosen:
        return None
    straight = _straightness(thick, names, count)
    found = np.zeros(thick.shape, bool)
    # Those along the frame come first: inside, a value is padding if it is there, too, or the region is large.
    for number in sorted(chosen, key=lambda each: each not in outer):
        part = parts[number - 1]
        if number not in outer and not found.any() and min(s.stop - s.start for s in part) < LEAST_INNER_PX:
            continue
        if straight[number] < LEAST_STRAIGHT:
            continue
        window = tuple(slice(max(0, s.start - LINE_PX - 1), s.stop + LINE_PX + 1) for s in part)
        region = names[window] == number
        least = _least_difference_beyond(difference[window], region, thick[window], large)
        if least is not None:
            # Mixed pixels at the edge of a frame that was turned differ less than any of the image.
            beside = _dilated(region, 2) & ~region
            mixed = beside & (difference[window] < least)
            found[window] |= region
            if np.count_nonzero(mixed) > LEAST_MIXED * np.count_nonzero(beside):
                found[window] |= mixed
    return found if np.count_nonzero(found) >= max(LEAST_AREA_PX, LEAST_SHARE * found.size) else None


def _lies_along_the_frame(names: npt.NDArray[np.int32], part: Tuple[slice, ...], number: int) -> bool:
    """Return True if a region lies along an eighth of one side of the frame, or in a corner.

    An object that is cut by the frame does neither.
    """
    height, width = names.shape
    at_side = []
    for line, side, length in (
        (names[0, part[1]], part[0].start == 0, width),
        (names[-1, part[1]], part[0].stop == height, width),
        (names[part[0], 0], part[1].start == 0, height),
        (names[part[0], -1], part[1].stop == width, height),
    ):
        share = np.count_nonzero(line == number) / length if side else 0.0
        if share >= LEAST_OF_SIDE:
            return True
        at_side.append(share > 0)
    return any(at_side[:2]) and any(at_side[2:])


def _opened(same: Mask) -> Mask:
    """Keep what a square of `THICKNESS_PX` covers; beyond the frame, all counts as padding."""
    values = np.pad(same, THICKNESS_PX, constant_values=True).view(np.uint8)
    for extreme in (ndimage.minimum_filter1d, ndimage.maximum_filter1d):
        for axis in (0, 1):
            values = extreme(values, THICKNESS_PX, axis=axis)
    return values[THICKNESS_PX:-THICKNESS_PX, THICKNESS_PX:-THICKNESS_PX] > 0


def _dilated(region: Mask, steps: int) -> Mask:
    values = region.view(np.uint8)
    for axis in (0, 1):
        values = ndimage.maximum_filter1d(values, 2 * steps + 1, axis=axis)
    return values > 0


def _eroded(region: Mask, steps: int) -> Mask:
    values = region.view(np.uint8)
    for axis in (0, 1):
        values = ndimage.minimum_filter1d(values, 2 * steps + 1, axis=axis)
    return values > 0


def _runs(edges: Mask, axis: int) -> Mask:
    """Keep the straight lines of `STRAIGHT_PX` or more along an axis."""
    values = ndimage.minimum_filter1d(edges.view(np.uint8), STRAIGHT_PX, axis=axis, mode="constant")
    lines: Mask = ndimage.maximum_filter1d(values, STRAIGHT_PX, axis=axis, origin=-1, mode="constant") > 0
    return lines


def _straightness(regions: Mask, names: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.float64]:
    """Return the share of each region's edge that is straight, by its number; 1 if it has no edge."""
    share = ndimage.uniform_filter(regions.astype(np.float32), WINDOW_PX, mode="nearest")
    halved = (share > HALF[0]) & (share < HALF[1])
    frame = np.concatenate([names[0], names[-1], names[:, 0], names[:, -1]])
    at_frame = np.isin(np.arange(count + 1), frame)
    total, lines, halves = (np.zeros(count + 1) for _ in range(3))
    for axis in (0, 1):
        before = tuple(slice(None, -1) if each == axis else slice(None) for each in (0, 1))
        after = tuple(slice(1, None) if each == axis else slice(None) for each in (0, 1))
        edges = regions[before] != regions[after]
        number = np.maximum(names[before], names[after])
        half = halved[before] | halved[after]
        for counted, which in ((total, edges), (lines, _runs(edges, 1 - axis) & edges), (halves, half & edges)):
            counted += np.bincount(number[which], minlength=count + 1)
    # A window is halved by chance in a thin stripe. Only what is thicker than a window counts.
    broad = np.bincount(names[share > 0.99], minlength=count + 1) > 0
    straight = np.maximum(lines, np.where(at_frame & broad, halves, 0))
    return np.where(total > 0, straight / np.maximum(total, 1), 1.0)


def _least_difference_beyond(difference: Plane, region: Mask, regions: Mask, large: float) -> Optional[float]:
    """Return by how much the image beyond a region differs from it at least (percentile 0.5).

    None if the image beside the region differs less than it does farther away, or all differ by little: then it is no
    padding. `regions` holds all regions of that value, which are compared with nothing.
    """
    measured = ~regions & np.isfinite(difference)
    beside, away = (
        difference[_dilated(region, outer) & ~_dilated(region, inner) & measured]
        for inner, outer in ((2, 3), (8, LINE_PX))
    )
    if not beside.size or not away.size:
        return None
    step = float(np.median(away))
    if step < LEAST_CONTRAST * large or np.median(beside) < LEAST_STEP * step:
        return None
    edge = difference[_dilated(region, 3) & ~_eroded(region, 3) & (measured | region)] / step
    if np.mean((edge > FADING[0]) & (edge < FADING[1])) > MOST_FADING:
        return None
    return float(np.percentile(away, 0.5))


def _lines_across(plane: Plane, padding: Optional[Mask]) -> Iterator[Mask]:
    """Yield thin padding: rows or columns across the whole image, at its frame or between two tiles of a mosaic."""
    inner: Tuple[slice, ...] = (slice(None), slice(None))
    if padding is not None:
        measured = ndimage.find_objects((~padding).view(np.uint8))
        if not measured:
            return
        inner = measured[0]
    part = plane[inner]
    if min(part.shape) < 3 * LINE_PX:
        return
    for axis in (0, 1):
        lines = part if axis == 0 else part.T
        found = _thin_lines(np.sort(lines[:, :: sampling_step(lines.shape[1])].astype(np.float32), axis=1))
        if found.any():
            mask = np.zeros(plane.shape, bool)
            (mask[inner] if axis == 0 else mask[inner].T)[found] = True
            yield mask


def _thin_lines(sampled: Plane) -> Mask:
    """Say of each row, by its sorted samples, whether it is filled."""
    low, middle, high = (sampled[:, round(share * (sampled.shape[1] - 1))] for share in (0.05, 0.5, 0.95))
    spread = high - low
    found = np.zeros(len(sampled), bool)
    # The lines beside decide, at several distances, as one may run through objects: at the frame those inside,
    # elsewhere those on both sides.
    padded = np.pad(middle, LINE_PX, constant_values=np.nan)
    steps = np.full((2, len(middle)), np.inf)
    side = np.zeros((2, len(middle)))
    for away in BESIDE_PX:
        for index, start in enumerate((LINE_PX - away, LINE_PX + away)):
            signed = padded[start : start + len(middle)] - middle
            steps[index] = np.fmin(steps[index], np.abs(signed))
            side[index] += np.nan_to_num(np.sign(signed))
    difference = steps.min(axis=0)
    possible = np.isfinite(difference) & (difference > 0) & (spread < MOST_SPREAD * difference)
    possible &= np.isinf(steps).any(axis=0) | (np.sign(side[0]) == np.sign(side[1]))
    if not possible.any():
        return found
    new = np.ones(len(middle), bool)
    new[1:] = ~possible[:-1] | (np.abs(np.diff(middle)) > MOST_SPREAD * difference[1:])
    whole_range = float(np.subtract(*np.percentile(sampled, (99, 1))))
    names = np.cumsum(possible & new) * possible
    for (part,) in ndimage.find_objects(names):
        first, last = part.start, part.stop - 1
        if last - first >= LINE_PX:
            continue
        value, step = float(np.median(middle[part])), float(np.median(difference[part]))
        beyond = [middle[i] for i in (first - 3, last + 3) if 0 <= i < len(middle)]
        sharp = all(abs(each - value) >= LEAST_STEP * step for each in beyond)
        wide = (first > 0 and last < len(middle) - 1) or len(beyond) == 1
        even = np.ptp(middle[part]) < MOST_SPREAD * step
        if sharp and even and wide and step >= LEAST_CONTRAST * whole_range:
            found[part] = True
    return found


def _is_measured(values: Plane) -> bool:
    """Return True if what is left of an image holds more than a few values."""
    if values.size < LEAST_AREA_PX:
        return False
    return len(np.unique(values[:: max(1, values.size // 10_000)])) >= LEAST_VALUES
