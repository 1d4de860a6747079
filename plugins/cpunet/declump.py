"""Turn probabilities into objects: a mask, a seed for each object, and a watershed where objects touch."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import expand_labels, watershed

from cpunet.filters import fill_holes, relabel
from cpunet.model_card import Postprocessing

Planes = Mapping[str, npt.NDArray[np.float32]]


def planes_by_role(probabilities: npt.NDArray[np.float32], roles: Sequence[str]) -> Planes:
    """Name the channels of a prediction.

    Parameters
    ----------
    probabilities : ndarray of shape (C, Y, X), float32
        0..1.
    roles : sequence of str
        One a channel, from the model card.

    Returns
    -------
    dict of str to ndarray of shape (Y, X)
    """
    return dict(zip(roles, probabilities))


def foreground_probability(planes: Planes) -> npt.NDArray[np.float32]:
    """Return the probability that a pixel belongs to an object.

    Parameters
    ----------
    planes : dict of str to ndarray of shape (Y, X)
        By role; ``foreground``, or ``interior`` with or without ``boundary``, or ``boundary`` alone.

    Returns
    -------
    ndarray of shape (Y, X), float32
        A boundary is part of its object, as in Caicedo et al. 2019, doi:10.1002/cyto.a.23863. A model of
        boundaries alone knows no such probability: its boundary is returned as it is.
    """
    if "foreground" in planes:
        return planes["foreground"]
    if "interior" in planes and "boundary" in planes:
        return planes["interior"] + planes["boundary"]
    return planes["interior"] if "interior" in planes else planes["boundary"]


def marker_score(planes: Planes) -> npt.NDArray[np.float32]:
    """Return how surely a pixel lies in the middle of one object.

    Parameters
    ----------
    planes : dict of str to ndarray of shape (Y, X)
        By role.

    Returns
    -------
    ndarray of shape (Y, X), float32
        0..1: the distance, or else the interior, or else the foreground; lowered where two
        objects meet (border) or end (boundary).
    """
    for role in ("distance", "interior", "foreground"):
        if role in planes:
            score = planes[role]
            break
    for role in ("border", "boundary"):
        if role in planes:
            score = score * (1 - planes[role])
    return score


def declump(
    probabilities: npt.NDArray[np.float32],
    roles: Sequence[str],
    settings: Postprocessing,
    split: bool = True,
    usable: Optional[npt.NDArray[np.bool_]] = None,
) -> npt.NDArray[np.int32]:
    """Turn probabilities into an instance label image.

    Parameters
    ----------
    probabilities : ndarray of shape (C, Y, X), float32
        0..1.
    roles : sequence of str
        One a channel, from the model card.
    settings : Postprocessing
        Pixels above the foreground threshold belong to objects. Each connected region whose
        `marker_score` lies above the marker threshold, and which is not too small, seeds one object. With
        boundaries alone, objects are what `regions_between_boundaries` finds. Objects are grown and their holes
        filled where the settings say so; then those that are too small are dropped.
    split : bool
        If false, each connected region of all objects' pixels is one object.
    usable : ndarray of shape (Y, X), bool, optional
        No object has a pixel outside.

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background, objects are 1..n without gaps.

    Notes
    -----
    Regions touch if they share a pixel's side; a corner is not enough. A region without a seed is
    kept whole. Only regions with two seeds or more need a watershed (Meyer's flooding, in
    scikit-image), which runs on the marker score, from the seeds outwards and never leaves the mask.
    """
    planes = planes_by_role(probabilities, roles)
    only_boundaries = "foreground" not in planes and "interior" not in planes
    if only_boundaries:
        regions = regions_between_boundaries(planes["boundary"], settings.boundary_threshold, usable)
    else:
        regions = regions_of_mask(planes, settings, split, usable)
    if settings.dilation_px:
        regions = expand_labels(regions, settings.dilation_px).astype(np.int32)
    if settings.fill_holes:
        regions = fill_holes(regions)
    if usable is not None:
        regions = np.where(usable, regions, 0)
    if not split and only_boundaries:
        regions, _ = ndimage.label(regions > 0, output=np.int32)
    return relabel(regions, settings.min_size_px)


def regions_of_mask(
    planes: Planes, settings: Postprocessing, split: bool = True, usable: Optional[npt.NDArray[np.bool_]] = None
) -> npt.NDArray[np.int32]:
    """Cut the mask of all objects into one region an object.

    Parameters
    ----------
    planes : dict of str to ndarray of shape (Y, X)
        By role.
    settings : Postprocessing
    split : bool
        If false, each connected region is one object.
    usable : ndarray of shape (Y, X), bool, optional
        The mask has no pixel outside.

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background; not numbered without gaps.
    """
    mask = foreground_probability(planes) > settings.foreground_threshold
    if usable is not None:
        mask &= usable
    regions: npt.NDArray[np.int32] = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, output=regions)
    if not split:
        return regions
    score = marker_score(planes)
    markers, _ = ndimage.label(mask & (score > settings.marker_threshold))
    return split_regions(regions, relabel(markers, settings.marker_min_size_px), score)


def regions_between_boundaries(
    boundary: npt.NDArray[np.float32], threshold: float, usable: Optional[npt.NDArray[np.bool_]] = None
) -> npt.NDArray[np.int32]:
    """Find objects by their boundaries alone: what they enclose, except for the largest region, the background.

    Parameters
    ----------
    boundary : ndarray of shape (Y, X), float32
        Probability of a boundary, 0..1.
    threshold : float
        0..1; pixels above it lie on a boundary.
    usable : ndarray of shape (Y, X), bool, optional
        No region has a pixel outside.

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background and boundary. A gap of one pixel in an outline loses its object to the background, and a
        field without any background loses its largest object: no other rule tells the two apart.
    """
    between = boundary <= threshold
    if usable is not None:
        between &= usable
    regions: npt.NDArray[np.int32] = np.zeros(boundary.shape, np.int32)
    if ndimage.label(between, output=regions):
        background = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
        regions[regions == background] = 0
    return regions


def split_regions(
    regions: npt.NDArray[np.int32], markers: npt.NDArray[np.int32], score: npt.NDArray[np.float32]
) -> npt.NDArray[np.int32]:
    """Divide each region that holds two markers or more among them.

    Parameters
    ----------
    regions : ndarray of shape (Y, X), int32
        Connected regions, 0 is background.
    markers : ndarray of shape (Y, X), int32
        Seeds of the objects, 1..n without gaps; they lie within the regions.
    score : ndarray of shape (Y, X), float32
        High in the middle of objects, low where two meet.

    Returns
    -------
    ndarray of shape (Y, X), int32
        Labels, not numbered without gaps.
    """
    region_of_marker = np.zeros(int(markers.max()) + 1, np.intp)
    region_of_marker[markers] = regions
    markers_in_region = np.bincount(region_of_marker[1:], minlength=int(regions.max()) + 1)
    clumped = (markers_in_region > 1)[regions]
    if not clumped.any():
        return regions
    # A marker's inner pixels have nobody left to flood; without them the watershed's queue is far shorter.
    inner = inner_pixels(markers > 0)
    rim = clumped & ~inner
    flooded = np.where(inner, markers, watershed(-score, np.where(rim, markers, 0), mask=rim))
    return np.where(clumped, flooded + regions.max(), regions).astype(np.int32)


def inner_pixels(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels of a mask whose neighbours beside, above and below lie in it too; the frame does not count."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return inner
