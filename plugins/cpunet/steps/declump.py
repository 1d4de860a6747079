"""Turn probabilities into labels: a mask, seeds, and a watershed where objects touch."""

from __future__ import annotations

from typing import Optional, Sequence, TypeVar

import numpy as np
import numpy.typing as npt
from skimage.segmentation import expand_labels

from cpunet.model.card import Postprocessing
from cpunet.steps.background import background_regions
from cpunet.steps.clumps import split_regions
from cpunet.steps.filters import fill_holes
from cpunet.steps.rims import rims_of
from cpunet.steps.runs import Runs, areas_of_runs, chosen_runs, connected, numbered_anew, painted, runs_of
from cpunet.steps.seeds import (
    ByRole,
    Declumping,
    brightness_of_objects,
    distance_to_edge,
    keep_apart,
    marker_score,
    peaks,
    smoothed,
)

BY_PROBABILITY = Declumping()
Plane = TypeVar("Plane", np.bool_, np.int32)


def probabilities_by_role(probabilities: npt.NDArray[np.float32], roles: Sequence[str]) -> ByRole:
    """Name the channels of a prediction by their roles, from the model card: a dict of (Y, X), 0..1."""
    return dict(zip(roles, probabilities))


def foreground_probability(by_role: ByRole) -> npt.NDArray[np.float32]:
    """Return the probability that a pixel belongs to an object.

    Parameters
    ----------
    by_role : dict of str to ndarray of shape (Y, X), float32
        ``foreground``, or ``interior`` with or without ``boundary``, or ``boundary`` alone.

    Returns
    -------
    ndarray of shape (Y, X), float32
        A boundary is part of its object, as in Caicedo et al. 2019, doi:10.1002/cyto.a.23863. A model of
        boundaries alone has no such probability: its boundary is returned.
    """
    if "foreground" in by_role:
        return by_role["foreground"]
    if "interior" in by_role and "boundary" in by_role:
        return by_role["interior"] + by_role["boundary"]
    return by_role["interior"] if "interior" in by_role else by_role["boundary"]


def declump(
    probabilities: npt.NDArray[np.float32],
    roles: Sequence[str],
    settings: Postprocessing,
    how: Declumping = BY_PROBABILITY,
    usable: Optional[npt.NDArray[np.bool_]] = None,
    image: Optional[npt.NDArray[np.float32]] = None,
) -> npt.NDArray[np.int32]:
    """Turn probabilities into labels.

    Parameters
    ----------
    probabilities : ndarray of shape (C, Y, X), float32
        0..1.
    roles : sequence of str
        One for each channel, from the model card.
    settings : Postprocessing
    how : Declumping
        How touching objects are separated.
    usable : ndarray of shape (Y, X), bool, optional
        No object has a pixel outside.
    image : ndarray of shape (C, Y, X), float32, optional
        The prepared image, for those that `needs_image` names: the mean of its channels is the brightness by which the
        method ``intensity`` separates objects, and each channel tells objects from the background between boundaries.

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background, objects are 1..n without gaps.

    Raises
    ------
    ValueError
        If the image is needed and missing.

    Notes
    -----
    1. The connected regions of the pixels above the foreground threshold are found. They are connected by a pixel's
       side; a corner is not enough.
    2. Holes up to a size are filled, if `how` says so.
    3. Regions with several objects are split; see `split_by`.
    4. Objects are grown and their holes filled, if the settings say so.
    5. Objects that are too small are dropped, and the others numbered.

    A model of boundaries alone separates its objects already: they are what the boundaries enclose, see
    `objects_between_boundaries`. For another method, they are joined and split again after step 4.
    """
    by_role = probabilities_by_role(probabilities, roles)
    shape = probabilities.shape[1:]
    only_boundaries = has_only_boundaries(roles)
    if only_boundaries:
        if image is None:
            raise ValueError("To tell objects from background by boundaries alone, their image is needed.")
        regions = objects_between_boundaries(by_role["boundary"], settings.boundary_threshold, image, usable)
    else:
        mask = _within(usable, foreground_probability(by_role) > settings.foreground_threshold)
        regions = connected(mask)
    if how.fill_before_px:
        labels = _within(usable, fill_holes(painted(regions, shape), how.fill_before_px))
        regions, mask = runs_of(labels), labels > 0
    if not only_boundaries:
        regions = split_by(how, regions, mask, by_role, settings, usable, image)
    if settings.dilation_px or settings.fill_holes:
        labels = painted(regions, shape)
        if settings.dilation_px:
            labels = expand_labels(labels, settings.dilation_px).astype(np.int32)
        if settings.fill_holes:
            labels = fill_holes(labels)
        regions = runs_of(_within(usable, labels))
    if only_boundaries and how.method != "probability":
        mask = painted(regions, shape) > 0
        regions = split_by(how, connected(mask), mask, by_role, settings, usable, image)
    return painted(numbered_anew(regions, areas_of_runs(regions) >= max(settings.min_size_px, 1)), shape)


def _within(usable: Optional[npt.NDArray[np.bool_]], plane: npt.NDArray[Plane]) -> npt.NDArray[Plane]:
    """Return a mask or labels (Y, X) without the pixels that are not usable."""
    return plane if usable is None else np.where(usable, plane, plane.dtype.type(0))


def split_by(
    how: Declumping,
    regions: Runs,
    mask: npt.NDArray[np.bool_],
    by_role: ByRole,
    settings: Postprocessing,
    usable: Optional[npt.NDArray[np.bool_]] = None,
    image: Optional[npt.NDArray[np.float32]] = None,
) -> Runs:
    """Split the connected regions of a mask (Y, X) into objects; the numbers may have gaps.

    1. Choose the score. ``probability``: `marker_score`; ``shape``: the distance to the edge; ``intensity``: the
       brightness. The last two are IdentifyPrimaryObjects' methods of these names.
    2. Smooth it, if `how` says so.
    3. Find the seeds: for ``probability``, each connected part above the marker threshold that is not too small;
       otherwise, each peak. Of seeds that are too close, keep the higher one.
    4. Split each region with several seeds by a watershed on the score that was not smoothed. A region without a seed
       stays whole.
    """
    if how.method == "none":
        return regions
    shape = mask.shape
    if how.method == "probability":
        score = marker_score(by_role)
    elif how.method == "shape":
        score = distance_to_edge(painted(regions, shape))
    else:
        if image is None:
            raise ValueError("To separate objects by their intensity, their image is needed.")
        score = brightness_of_objects(image.mean(axis=0), painted(regions, shape), usable)
    smooth = smoothed(score, how.smoothing_px, usable)
    if how.method == "probability":
        above = smooth > settings.marker_threshold
        above &= mask
        markers = connected(above)
        markers = numbered_anew(markers, areas_of_runs(markers) >= max(settings.marker_min_size_px, 1))
    else:
        markers = runs_of(peaks(smooth, painted(regions, shape)))
    if how.min_distance_px:
        apart = keep_apart(painted(markers, shape), smooth, painted(regions, shape), how.min_distance_px)
        markers = runs_of(apart)
    return split_regions(regions, markers, score)


def has_only_boundaries(roles: Sequence[str]) -> bool:
    """Return True if a model with these roles predicts boundaries, and neither foreground nor interior."""
    return not {"foreground", "interior"} & set(roles)


def needs_image(roles: Sequence[str], method: str) -> bool:
    """Return True if `declump` needs the prepared image for a model with these roles and a method of declumping."""
    return method == "intensity" or has_only_boundaries(roles)


def objects_between_boundaries(
    boundary: npt.NDArray[np.float32],
    threshold: float,
    image: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]] = None,
) -> Runs:
    """Find objects by their boundaries alone: all regions between boundaries that are no background.

    Parameters
    ----------
    boundary : ndarray of shape (Y, X), float32
        Probability of a boundary, 0..1.
    threshold : float
        0..1; pixels above it lie on a boundary.
    image : ndarray of shape (C, Y, X), float32
        The prepared image, which tells objects from background; see `cpunet.steps.background.background_regions`.
    usable : ndarray of shape (Y, X), bool, optional
        No region has a pixel outside.

    Returns
    -------
    Runs
        The numbers may have gaps. A gap of one pixel in an outline joins its object to the background.
    """
    regions = connected(_within(usable, boundary <= threshold))
    rims = rims_of(painted(regions, boundary.shape), image, usable)
    background = background_regions(areas_of_runs(regions), rims)
    return chosen_runs(regions, ~background[regions.number])
