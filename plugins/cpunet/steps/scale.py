"""Find out from an image itself at which size a model should see it: look, measure, and look again if need be."""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import InputCard, ModelCard
from cpunet.steps.declump import foreground_probability, probabilities_by_role

SMALLEST_SCALE, LARGEST_SCALE = 1 / 16, 4.0
# Looks after the first. Two reach any size that occurs: objects eight times too large are found as pieces at first,
# and rightly measured at the next look.
MOST_PASSES = 3
# Below this the objects are pieces of something too large to be seen: real ones, of 6 to 150 pixels, reach 0.6 to 0.97,
# and pieces of nuclei of 200 pixels and more 0.3 to 0.55.
LEAST_CERTAINTY = 0.55
# A look at a part of a large image is enough to measure its objects.
WINDOW_PX = 1024
# The window's place among all, by contrast: neither the empty corner nor the one with the brightest piece of dust.
CONTRAST_PERCENTILE = 75


class Segmentation(NamedTuple):
    """Objects as a model found them.

    Attributes
    ----------
    labels : ndarray of shape (Y, X), or (Z, Y, X) of a stack, int32
        0 is background, objects are 1..n without gaps.
    probabilities : ndarray of shape (C, Y, X) or (C, Z, Y, X), float32
        0..1, a channel for each role of the model's output.
    scale : float
        By how much the image was enlarged for the network.
    """

    labels: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    scale: float


def scale_factor(card: InputCard, diameter_px: float) -> float:
    """Return by how much an image must be enlarged for a model to know its objects' size.

    Parameters
    ----------
    card : InputCard
    diameter_px : float
        Typical diameter of the objects.

    Returns
    -------
    float
        1 if the model does its best on objects of this size, since an image that is not resampled
        keeps its detail; otherwise what brings them to the trained diameter.
    """
    if card.diameter_low_px <= diameter_px <= card.diameter_high_px:
        return 1.0
    return float(np.clip(card.diameter_px / diameter_px, SMALLEST_SCALE, LARGEST_SCALE))


def typical_diameter(labels: npt.NDArray[np.int32]) -> float:
    """Return the diameter of an object in which the middle one of all object pixels lies.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        1..n without gaps, one object at least.

    Returns
    -------
    float
        Pixels, of a disc of the same area. Debris and fragments are many, but cover little: they hardly count.
    """
    areas = np.sort(np.bincount(labels.ravel())[1:])
    covered = np.cumsum(areas)
    middle = areas[np.searchsorted(covered, covered[-1] / 2)]
    return float(2 * np.sqrt(middle / np.pi))


def certainty(found: Segmentation, roles: Sequence[str]) -> float:
    """Return how far from one half the probability of a foreground is inside the objects.

    Parameters
    ----------
    found : Segmentation
        With one object at least.
    roles : sequence of str
        From the model card.

    Returns
    -------
    float
        0 (undecided) to 1. A model of boundaries alone knows no such probability, and is taken for certain.
    """
    if set(roles) == {"boundary"}:
        return 1.0
    inside = foreground_probability(probabilities_by_role(found.probabilities, roles))[found.labels > 0]
    return float(np.abs(2 * inside - 1).mean())


def next_scale(found: Segmentation, card: ModelCard) -> float:
    """Say at which scale to look next, after what was found.

    Parameters
    ----------
    found : Segmentation
    card : ModelCard

    Returns
    -------
    float
        The scale of `found` itself if it was right, or if there is nothing to measure.
    """
    if not found.labels.any():
        return found.scale
    if certainty(found, card.output.roles) < LEAST_CERTAINTY:
        return max(SMALLEST_SCALE, found.scale / 2)
    diameter_px = typical_diameter(found.labels)
    if card.input.diameter_low_px <= diameter_px * found.scale <= card.input.diameter_high_px:
        return found.scale
    return scale_factor(card.input, diameter_px)


def explains(again: Segmentation, found: Segmentation, roles: Sequence[str]) -> bool:
    """Say whether a look from further away was right: pieces of large objects become surer when seen whole.

    Parameters
    ----------
    again, found : Segmentation
        The later look and the one before, with one object each at least.
    roles : sequence of str
        From the model card.

    Returns
    -------
    bool
        False for a model that is never sure, such as one that was trained for a minute.
    """
    before = certainty(found, roles)
    return before >= LEAST_CERTAINTY or certainty(again, roles) > before


def window_to_measure(plane: npt.NDArray[np.float32]) -> Tuple[slice, slice]:
    """Choose a part of an image on which the size of its objects is measured.

    Parameters
    ----------
    plane : ndarray of shape (Y, X), float32
        Normalized.

    Returns
    -------
    tuple of slice
        Rows and columns; all of an image no larger than two windows. Otherwise the window with the third
        quartile of contrast (standard deviation).
    """
    if plane.size <= 2 * WINDOW_PX**2:
        return slice(None), slice(None)
    tops, lefts = (range(0, max(1, size - WINDOW_PX + 1), WINDOW_PX) for size in plane.shape)
    windows = [(slice(top, top + WINDOW_PX), slice(left, left + WINDOW_PX)) for top in tops for left in lefts]
    contrasts = [float(plane[window].std()) for window in windows]
    wanted = np.percentile(contrasts, CONTRAST_PERCENTILE)
    return windows[int(np.argmin(np.abs(np.array(contrasts) - wanted)))]
