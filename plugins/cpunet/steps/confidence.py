"""How certain a model is of each object, and how many objects there are if clumps cannot be split."""

from __future__ import annotations

import math
from typing import Any, Iterator, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.steps.filters import inner_pixels
from cpunet.steps.runs import Places, Runs, areas_of_runs, pixels_of_runs, runs_at, runs_of

Labels = npt.NDArray[np.int32]
Probability = npt.NDArray[np.float32]
SmallLabels = npt.NDArray[Any]
# Pixels on each side of an outline that are compared. The probability of a good model falls from 1 to 0 within them.
RIM_PX = 2
# Rims are looked for in so many pixels at a time, which stay within a processor's cache, but not in fewer rows.
PIXELS_AT_A_TIME, LEAST_ROWS_AT_A_TIME = 2**16, 16
# What `count_from_area` needs to know the typical area of one object.
LEAST_APART, LEAST_SHARE_APART = 5, 0.2


def confidence_of_kept(
    kept: Labels, found: Labels, confidence: Optional[npt.NDArray[np.float32]]
) -> Optional[npt.NDArray[np.float64]]:
    """Return the confidence of the objects that filters kept, from that of all that were found.

    Parameters
    ----------
    kept, found : ndarray of the same shape, int32
        0 is background, objects are 1..n without gaps. Each object of `kept` has a pixel of the same one of `found`.
    confidence : ndarray of shape (n,), float32, or None
        0..1, of `found`; None if the model says nothing of it.

    Returns
    -------
    ndarray of shape (m,), float64, or None
        Of `kept`.

    Examples
    --------
    >>> import numpy as np
    >>> found, kept = np.array([[1, 0, 2, 2, 3]]), np.array([[0, 0, 1, 1, 2]])
    >>> confidence_of_kept(kept, found, np.array([0.5, 0.75, 1.0], np.float32)).tolist()
    [0.75, 1.0]
    """
    if confidence is None:
        return None
    own = np.zeros(int(kept.max(initial=0)) + 1, np.intp)
    both = (kept > 0) & (found > 0)  # a hole that was filled is in one of them
    own[kept[both]] = found[both]
    return confidence[own[1:] - 1].astype(np.float64)


def foreground_confidence(
    labels: Labels, foreground: Probability, runs: Optional[Runs] = None
) -> npt.NDArray[np.float64]:
    """Return the mean foreground probability of each object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background, objects are 1..n without gaps.
    foreground : ndarray of the same shape, float32
        0..1, from `cpunet.steps.declump.foreground_probability`. (For a model of boundaries alone it says nothing of
        objects, and neither does this.)
    runs : Runs, optional
        Those of `labels`, if they are known already.

    Returns
    -------
    ndarray of shape (n,), float64
        0..1, in the order of the labels. Near 1 the model is certain; near the foreground threshold it might as well
        have found nothing.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _check_shapes(labels, foreground)
    runs = runs_of(labels) if runs is None else runs
    if not len(runs.number):
        return np.zeros(0)
    areas, flat = areas_of_runs(runs), foreground.reshape(-1)
    sums = np.zeros(len(areas))
    for places, part in pixels_of_runs(runs):
        of_runs = np.add.reduceat(flat[places].astype(np.float64), np.cumsum(part.length) - part.length)
        sums += np.bincount(part.number, weights=of_runs, minlength=len(sums))
    mean: npt.NDArray[np.float64] = sums[1:] / areas[1:]
    # the sum of interior and boundary can exceed 1 by a rounding
    return np.clip(mean, 0, 1)


def boundary_confidence(labels: Labels, foreground: Probability, rim_px: int = RIM_PX) -> npt.NDArray[np.float64]:
    """Return how sharply the probability falls at each object's outline.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background, objects are 1..n without gaps.
    foreground : ndarray of the same shape, float32
        0..1.
    rim_px : int
        Width of the rims inside and outside the outline, 1 or more.

    Returns
    -------
    ndarray of shape (n,), float64
        0..1, in the order of the labels: the mean probability of the object's pixels within `rim_px` steps of its
        outline, minus that of all other pixels within as many steps. 1 is a sharp outline; 0 an outline that the model
        does not see. It is low where an object is cut out of a clump, because its neighbor is foreground too.

    Raises
    ------
    ValueError
        If the shapes differ, or the rim has no width.

    Notes
    -----
    A step leads to a pixel beside, above or below. In a stack, rims lie within the planes, which may be far apart.
    The image's frame is no outline; an object that fills the image has none, and gets 0.
    """
    _check_shapes(labels, foreground)
    if rim_px < 1:
        raise ValueError(f"The rim must be 1 pixel wide or more; it is {rim_px}.")
    count = int(labels.max(initial=0))
    # By label: of the pixels of the inner rims first, and then of those of the outer rims.
    pixels, sums = np.zeros(2 * (count + 1)), np.zeros(2 * (count + 1))
    # Numbers of two bytes are faster.
    small = labels.astype(np.uint16 if count < np.iinfo(np.uint16).max else np.uint32)
    for plane, probability in zip(small.reshape(-1, *labels.shape[-2:]), foreground.reshape(-1, *labels.shape[-2:])):
        flat = probability.reshape(-1)
        for places, rim in _rims(plane, count + 1, rim_px):
            pixels += np.bincount(rim, minlength=len(pixels))
            sums += np.bincount(rim, weights=flat[places], minlength=len(pixels))
    (inner, outer), (inner_sum, outer_sum) = pixels.reshape(2, -1), sums.reshape(2, -1)
    confidence = np.zeros(count + 1)
    has_rims = outer > 0
    confidence[has_rims] = inner_sum[has_rims] / inner[has_rims] - outer_sum[has_rims] / outer[has_rims]
    return np.clip(confidence[1:], 0, 1)


def _rims(labels: SmallLabels, outer: int, rim_px: int) -> Iterator[Tuple[Places, Places]]:
    """Find the pixels of all rims in labels (Y, X), of a type without a sign.

    Yields places in the flat image, and for each the label in whose inner rim it lies, or `outer` more than the label
    in whose outer rim it lies; 0 if in none. A pixel comes once with each rim that it lies in.
    """
    several = []
    height = max(LEAST_ROWS_AT_A_TIME, PIXELS_AT_A_TIME // labels.shape[1])
    for top in range(0, len(labels), height):
        first = max(0, top - rim_px)
        around, own = labels[first : top + height + rim_px], slice(top - first, top - first + height)
        inside, highest, lowest = around > 0, around, around - around.dtype.type(1)  # the background is the highest
        for _ in range(rim_px):
            inside = inner_pixels(inside)
            highest, lowest = _extreme_of_cross(np.maximum, highest), _extreme_of_cross(np.minimum, lowest)
        here, highest, lowest = around[own].reshape(-1), highest[own].reshape(-1), lowest[own].reshape(-1)
        lowest += lowest.dtype.type(1)
        in_a_rim = highest > 0
        in_a_rim &= ~inside[own].reshape(-1)
        in_a_rim |= highest != lowest
        places = np.flatnonzero(in_a_rim)
        label, near = here[places].astype(np.intp), highest[places].astype(np.intp)
        alone = near == lowest[places]
        places += top * labels.shape[1]
        yield places, np.where(label > 0, label, (near + outer) * alone)
        several.append(places[~alone])
    # Most pixels are near a single object. Only of the others must all labels be looked at.
    places = np.concatenate(several)
    for begin in range(0, len(places), PIXELS_AT_A_TIME):
        yield from _outer_rims(labels, places[begin : begin + PIXELS_AT_A_TIME], outer, rim_px)


def _extreme_of_cross(extreme: np.ufunc, values: SmallLabels) -> SmallLabels:
    """Return the extreme of each pixel (Y, X) and its four neighbors."""
    found = values.copy()
    extreme(found[1:], values[:-1], out=found[1:])
    extreme(found[:-1], values[1:], out=found[:-1])
    extreme(found[:, 1:], values[:, :-1], out=found[:, 1:])
    extreme(found[:, :-1], values[:, 1:], out=found[:, :-1])
    return found


def _outer_rims(labels: SmallLabels, places: Places, outer: int, most_steps: int) -> Iterator[Tuple[Places, Places]]:
    """Yield pixels with each label of another object within so many steps, as `_rims` does."""
    one_way = range(-most_steps, most_steps + 1)
    steps = [(y, x) for y in one_way for x in one_way if 0 < abs(y) + abs(x) <= most_steps]
    row, column = np.divmod(places, labels.shape[1])
    # Beyond the frame, the pixel at the frame is taken, which is nearer.
    others = np.stack(
        [labels[np.clip(row + y, 0, len(labels) - 1), np.clip(column + x, 0, labels.shape[1] - 1)] for y, x in steps]
    ).astype(np.intp)
    others[others == labels[row, column]] = 0
    near = others.max(axis=0)
    while near.any():
        yield places, np.where(near > 0, near + outer, 0)
        others[others == near] = 0
        near = others.max(axis=0)


def foreground_area(labels: Labels) -> int:
    """Return how many pixels (in a stack, voxels) the objects cover."""
    return int(np.count_nonzero(labels))


def count_from_area(labels: Labels, runs: Optional[Runs] = None) -> float:
    """Estimate the number of objects from the area that they cover, for clumps that cannot be split.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background; labels may have gaps.
    runs : Runs, optional
        Those of `labels`, if they are known already.

    Returns
    -------
    float
        The foreground's area divided by the median area of the objects that lie apart: that touch neither another
        object nor the image's frame. 0 if there is no object. NaN where these say nothing of the others:

        - fewer than half of the objects that do not touch the frame lie apart, as in tissue;
        - fewer than `LEAST_APART` lie apart, although objects touch;
        - those that are about as large as their median cover less than `LEAST_SHARE_APART` of the foreground.

    Notes
    -----
    Objects touch if they share a pixel's side. If more than half of all clumps are taken for single objects, the
    median is that of a clump, and the estimate too low.

    On the labels of 941 images of dsb2018, bbbc039, aitslab and mnfinder, the estimate is off by 10 % of the number of
    objects (median) where more than half lie apart, and by 17 to 45 % where fewer do, and up to three times too high.
    """
    apart = areas_apart(labels, runs_of(labels) if runs is None else runs)
    covered = apart.areas.sum()
    if not covered:
        return 0.0
    enough = LEAST_APART if apart.some_touch else 1
    if len(apart.apart) < max(enough, apart.inside / 2):
        return float("nan")
    typical = float(np.median(apart.apart))
    alike = apart.apart[(apart.apart >= typical / 2) & (apart.apart <= 2 * typical)]
    if alike.sum() < LEAST_SHARE_APART * covered:
        return float("nan")
    return float(covered / typical)


class ObjectAreas(NamedTuple):
    """Areas of the objects of an image, in pixels (in a stack, voxels).

    Attributes
    ----------
    areas : ndarray of shape (n,), integer
        Of all objects.
    apart : ndarray of shape (m,), integer
        Of the objects that touch neither another one nor the image's frame.
    inside : int
        How many objects do not touch the frame.
    some_touch : bool
        Whether any two objects touch.
    """

    areas: npt.NDArray[np.intp]
    apart: npt.NDArray[np.intp]
    inside: int
    some_touch: bool


def areas_apart(labels: Labels, runs: Runs) -> ObjectAreas:
    """Return the areas of all objects, and of those that lie apart; objects touch if they share a pixel's side.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background; labels may have gaps.
    runs : Runs
        Those of `labels`.
    """
    areas = areas_of_runs(runs)
    present = areas > 0
    alone = present.copy()
    for axis, size in enumerate(labels.shape):
        distance = math.prod(labels.shape[axis + 1 :])
        before, after = runs_at(runs, distance)
        beside = (runs.first[after] // distance) % size > 0  # the first of a row does not touch the last of another
        one, other = runs.number[before[beside]], runs.number[after[beside]]
        touch = one != other
        alone[one[touch]] = alone[other[touch]] = False
    inside = present.copy()
    for axis in (-2, -1):
        inside[np.take(labels, (0, -1), axis=axis).ravel()] = False
    return ObjectAreas(
        areas[present], areas[alone & inside], int(np.count_nonzero(inside)), bool(alone.sum() < present.sum())
    )


def _check_shapes(labels: Labels, foreground: Probability) -> None:
    if labels.shape != foreground.shape:
        raise ValueError(
            f"The labels have the shape {labels.shape} and the probability {foreground.shape}; they must agree."
        )
