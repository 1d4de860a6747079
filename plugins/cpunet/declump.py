"""Turn probabilities into objects: a mask, a seed for each object, and a watershed where objects touch."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from cpunet.filters import relabel
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
        By role; ``foreground``, or ``interior`` with or without ``boundary``.

    Returns
    -------
    ndarray of shape (Y, X), float32
        A boundary is part of its object, as in Caicedo et al. 2019, doi:10.1002/cyto.a.23863.
    """
    if "foreground" in planes:
        return planes["foreground"]
    if "boundary" in planes:
        return planes["interior"] + planes["boundary"]
    return planes["interior"]


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
        `marker_score` lies above the marker threshold, and which is not too small, seeds one object.
        Objects that are too small are dropped.
    split : bool
        If false, each connected region of the mask is one object.

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
    mask = foreground_probability(planes) > settings.foreground_threshold
    regions, _ = ndimage.label(mask)
    if split:
        score = marker_score(planes)
        markers, _ = ndimage.label(mask & (score > settings.marker_threshold))
        regions = split_regions(regions, relabel(markers, settings.marker_min_size_px), score)
    return relabel(regions, settings.min_size_px)


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
