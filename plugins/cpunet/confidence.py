"""How sure a model is of each object, and how many objects there are if clumps cannot be split."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cpunet.filters import in_plane

Labels = npt.NDArray[np.int32]
Probability = npt.NDArray[np.float32]
# Pixels to each side of an outline that are compared. The probability of a good model falls from 1 to 0 within them.
RIM_PX = 2


def foreground_confidence(labels: Labels, foreground: Probability) -> npt.NDArray[np.float64]:
    """Return each object's mean probability to be an object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background, objects are 1..n without gaps.
    foreground : ndarray of the same shape, float32
        0..1, as `cpunet.declump.foreground_probability` gives. (That of a model of boundaries alone says nothing of
        objects; neither do these figures, then.)

    Returns
    -------
    ndarray of shape (n,), float64
        0..1, in the order of the numbers. Near 1 the model has no doubt; near the foreground threshold it might as
        well have found nothing.

    Raises
    ------
    ValueError
        If the two differ in shape.
    """
    _check_shapes(labels, foreground)
    inside = labels > 0
    sums = np.bincount(labels[inside], weights=foreground[inside])[1:]
    mean: npt.NDArray[np.float64] = sums / np.bincount(labels[inside])[1:] if len(sums) else np.zeros(0)
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
        0..1, in the order of the numbers: the mean probability of the object's pixels within `rim_px` steps of its
        outline, less that of all other pixels as close. 1 is a sharp outline, 0 an outline that the model does not
        see. It is low where an object is cut out of a clump, since the neighbour is foreground, too.

    Raises
    ------
    ValueError
        If the two differ in shape, or the rim has no width.

    Notes
    -----
    A step leads to a pixel beside, above or below. In a stack, rims lie within the planes, as those may be far apart.
    Where the image ends is no outline; an object that fills the image has none, and gets 0.
    """
    _check_shapes(labels, foreground)
    if rim_px < 1:
        raise ValueError(f"The rim must be 1 pixel wide or more; it is {rim_px}.")
    step = in_plane(labels.ndim)
    reach = (0, rim_px, rim_px)[-labels.ndim :]
    confidence = np.zeros(int(labels.max()))
    for index, window in enumerate(ndimage.find_objects(labels)):
        around = tuple(slice(max(0, side.start - more), side.stop + more) for side, more in zip(window, reach))
        inside = labels[around] == index + 1
        probability = foreground[around]
        outer = ndimage.binary_dilation(inside, step, iterations=rim_px) & ~inside
        inner = ndimage.binary_dilation(~inside, step, iterations=rim_px) & inside
        if outer.any():
            confidence[index] = probability[inner].mean() - probability[outer].mean()
    return np.clip(confidence, 0, 1)


def foreground_area(labels: Labels) -> int:
    """Return how many pixels (in a stack, voxels) the objects cover."""
    return int(np.count_nonzero(labels))


def count_from_area(labels: Labels) -> float:
    """Estimate the number of objects from the area that they cover, for clumps that cannot be split.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background; numbers may have gaps.

    Returns
    -------
    float
        The foreground's area over that of a typical object: the median of the objects that touch no other one and
        not the image's frame; of those that touch no other one if there is none such; of all if there is none
        either. 0 if there is no object.

    Notes
    -----
    Objects touch if they share a pixel's side. If more than half of all clumps are taken for single objects, the
    median is a clump's, and the estimate too low.
    """
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    present = areas > 0
    if not present.any():
        return 0.0
    alone = present.copy()
    for axis in range(labels.ndim):
        before, after = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        touch = (before != after) & (before > 0) & (after > 0)
        alone[before[touch]] = alone[after[touch]] = False
    whole = alone.copy()
    for axis in (-2, -1):
        whole[np.take(labels, (0, -1), axis=axis).ravel()] = False
    typical = next(areas[chosen] for chosen in (whole, alone, present) if chosen.any())
    return float(areas.sum() / np.median(typical))


def _check_shapes(labels: Labels, foreground: Probability) -> None:
    if labels.shape != foreground.shape:
        raise ValueError(
            f"The labels have the shape {labels.shape} and the probability {foreground.shape}; they must agree."
        )
