"""How certain a model is of each object, and how many objects there are if clumps cannot be split."""

from __future__ import annotations

from typing import Iterator, Tuple, Union

import numpy as np
import numpy.typing as npt

from cpunet.steps.filters import inner_pixels, pixels_of_labels

Labels = npt.NDArray[np.int32]
Probability = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
# Pixels on each side of an outline that are compared. The probability of a good model falls from 1 to 0 within them.
RIM_PX = 2
# Pixels of rims whose surroundings are in memory at once; the surroundings take more than twelve times as much.
PIXELS_AT_A_TIME = 2**18
# What `count_from_area` needs to know the typical area of one object.
LEAST_APART, LEAST_SHARE_APART = 5, 0.2


def foreground_confidence(labels: Labels, foreground: Probability) -> npt.NDArray[np.float64]:
    """Return the mean foreground probability of each object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background, objects are 1..n without gaps.
    foreground : ndarray of the same shape, float32
        0..1, from `cpunet.steps.declump.foreground_probability`. (For a model of boundaries alone it says nothing of
        objects, and neither does this.)

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
    inside = labels > 0
    numbers = labels[inside]
    sums = np.bincount(numbers, weights=foreground[inside])[1:]
    mean: npt.NDArray[np.float64] = sums / np.bincount(numbers)[1:] if len(sums) else np.zeros(0)
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
    count = int(labels.max())
    in_a_rim = _pixels_with_another_label_near(labels, rim_px)
    own = labels[in_a_rim]
    probability = foreground[in_a_rim].astype(np.float64)
    inner = np.bincount(own, minlength=count + 1)
    inner_sum = np.bincount(own, weights=probability, minlength=count + 1)

    outer, outer_sum = np.zeros(count + 1), np.zeros(count + 1)
    for part, object_near in _objects_near(labels, in_a_rim, rim_px):
        outer += np.bincount(object_near, minlength=count + 1)
        outer_sum += np.bincount(object_near, weights=probability[part], minlength=count + 1)
    confidence = np.zeros(count + 1)
    has_rims = outer > 0
    confidence[has_rims] = inner_sum[has_rims] / inner[has_rims] - outer_sum[has_rims] / outer[has_rims]
    return np.clip(confidence[1:], 0, 1)


def _pixels_with_another_label_near(labels: Labels, most_steps: int) -> npt.NDArray[np.bool_]:
    """Find the pixels with a pixel of another label within so many steps in their plane."""
    beside = labels[..., 1:] != labels[..., :-1]
    above = labels[..., 1:, :] != labels[..., :-1, :]
    found = np.zeros(labels.shape, bool)
    found[..., 1:] |= beside
    found[..., :-1] |= beside
    found[..., 1:, :] |= above
    found[..., :-1, :] |= above
    for _ in range(most_steps - 1):
        found = ~inner_pixels(~found)
    return found


def _objects_near(
    labels: Labels, pixels: npt.NDArray[np.bool_], most_steps: int
) -> Iterator[Tuple[Union[slice, Places], Labels]]:
    """Yield pixels, and for each the label of another object within so many steps in its plane; 0 if there is none.

    Each pixel comes with each object near it once, however many directions lead there.
    """
    one_way = range(-most_steps, most_steps + 1)
    margin = [(0, 0)] * (labels.ndim - 2) + [(most_steps, most_steps)] * 2
    padded = np.pad(labels, margin).ravel()
    width = labels.shape[-1] + 2 * most_steps
    steps = [y * width + x for y in one_way for x in one_way if 0 < abs(y) + abs(x) <= most_steps]
    places = np.flatnonzero(np.pad(pixels, margin))
    for first in range(0, len(places), PIXELS_AT_A_TIME):
        here = places[first : first + PIXELS_AT_A_TIME]
        own = padded[here]
        highest, lowest = own.copy(), own - 1
        for step in steps:
            near = padded[here + step]
            np.maximum(highest, near, out=highest)
            near -= 1
            # Without a sign, the background's -1 is the highest of all numbers.
            np.minimum(lowest.view(np.uint32), near.view(np.uint32), out=lowest.view(np.uint32))
        # Most pixels are near a single object. Only of the others must all labels be kept.
        several = np.flatnonzero(highest - 1 != lowest)
        others = np.stack([padded[here[several] + step] for step in steps])
        others[others == own[several]] = 0
        object_near = np.where(own == 0, highest, 0)
        object_near[several] = others.max(axis=0)
        yield slice(first, first + len(here)), object_near
        object_near = object_near[several]
        while several.size:
            others[others == object_near] = 0
            object_near = others.max(axis=0)
            left = object_near > 0
            others, object_near, several = others[:, left], object_near[left], several[left]
            yield first + several, object_near


def foreground_area(labels: Labels) -> int:
    """Return how many pixels (in a stack, voxels) the objects cover."""
    return int(np.count_nonzero(labels))


def count_from_area(labels: Labels) -> float:
    """Estimate the number of objects from the area that they cover, for clumps that cannot be split.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background; labels may have gaps.

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
    areas = pixels_of_labels(labels)
    areas[0] = 0
    present = areas > 0
    if not present.any():
        return 0.0
    alone = present.copy()
    for axis in range(labels.ndim):
        before, after = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        differ = before != after
        one, other = before[differ], after[differ]
        touch = (one > 0) & (other > 0)
        alone[one[touch]] = alone[other[touch]] = False
    inside = present.copy()
    for axis in (-2, -1):
        inside[np.take(labels, (0, -1), axis=axis).ravel()] = False
    apart = areas[alone & inside]
    enough = LEAST_APART if np.count_nonzero(alone) < np.count_nonzero(present) else 1
    if len(apart) < max(enough, np.count_nonzero(inside) / 2):
        return float("nan")
    typical = float(np.median(apart))
    alike = apart[(apart >= typical / 2) & (apart <= 2 * typical)]
    if alike.sum() < LEAST_SHARE_APART * areas.sum():
        return float("nan")
    return float(areas.sum() / typical)


def _check_shapes(labels: Labels, foreground: Probability) -> None:
    if labels.shape != foreground.shape:
        raise ValueError(
            f"The labels have the shape {labels.shape} and the probability {foreground.shape}; they must agree."
        )
