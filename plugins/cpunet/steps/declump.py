"""Turn probabilities into objects: a mask, a seed for each object, and a watershed where objects touch."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import expand_labels, watershed

from cpunet.model.card import Postprocessing
from cpunet.steps.filters import fill_holes, relabel
from cpunet.steps.seeds import Declumping, brightness_of_objects, distance_to_edge, keep_apart, peaks, smoothed

BY_PROBABILITY = Declumping()
Planes = Mapping[str, npt.NDArray[np.float32]]


def probabilities_by_role(probabilities: npt.NDArray[np.float32], roles: Sequence[str]) -> Planes:
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
    how: Declumping = BY_PROBABILITY,
    usable: Optional[npt.NDArray[np.bool_]] = None,
    image: Optional[npt.NDArray[np.float32]] = None,
) -> npt.NDArray[np.int32]:
    """Turn probabilities into an instance label image.

    Parameters
    ----------
    probabilities : ndarray of shape (C, Y, X), float32
        0..1.
    roles : sequence of str
        One a channel, from the model card.
    settings : Postprocessing
        Pixels above the foreground threshold belong to objects. With boundaries alone, objects are what
        `regions_between_boundaries` finds. Objects are grown and their holes filled where the settings say so; then
        those that are too small are dropped.
    how : Declumping
        How touching objects are told apart; see `split_by`.
    usable : ndarray of shape (Y, X), bool, optional
        No object has a pixel outside.
    image : ndarray of shape (Y, X), float32, optional
        Its brightness tells objects apart; only for the method ``intensity``.

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background, objects are 1..n without gaps.

    Raises
    ------
    ValueError
        If the method is ``intensity`` and there is no image.

    Notes
    -----
    Regions touch if they share a pixel's side; a corner is not enough. A model of boundaries alone has told its
    objects apart already; by another method, they are joined first.
    """
    planes = probabilities_by_role(probabilities, roles)
    only_boundaries = "foreground" not in planes and "interior" not in planes
    if only_boundaries:
        regions = regions_between_boundaries(planes["boundary"], settings.boundary_threshold, usable)
    else:
        regions = regions_of_mask(planes, settings, usable)
    if how.fill_before_px:
        regions = fill_holes(regions, how.fill_before_px)
        if usable is not None:
            regions = np.where(usable, regions, 0)
    if not only_boundaries:
        regions = split_by(how, regions, planes, settings, usable, image)
    if settings.dilation_px:
        regions = expand_labels(regions, settings.dilation_px).astype(np.int32)
    if settings.fill_holes:
        regions = fill_holes(regions)
    if usable is not None:
        regions = np.where(usable, regions, 0)
    if only_boundaries and how.method != "probability":
        regions, _ = ndimage.label(regions > 0, output=np.int32)
        regions = split_by(how, regions, planes, settings, usable, image)
    return relabel(regions, settings.min_size_px)


def regions_of_mask(
    planes: Planes, settings: Postprocessing, usable: Optional[npt.NDArray[np.bool_]] = None
) -> npt.NDArray[np.int32]:
    """Give each connected region of all objects' pixels its number.

    Parameters
    ----------
    planes : dict of str to ndarray of shape (Y, X)
        By role.
    settings : Postprocessing
    usable : ndarray of shape (Y, X), bool, optional
        No region has a pixel outside.

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background.
    """
    mask = foreground_probability(planes) > settings.foreground_threshold
    if usable is not None:
        mask &= usable
    regions: npt.NDArray[np.int32] = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, output=regions)
    return regions


def split_by(
    how: Declumping,
    regions: npt.NDArray[np.int32],
    planes: Planes,
    settings: Postprocessing,
    usable: Optional[npt.NDArray[np.bool_]] = None,
    image: Optional[npt.NDArray[np.float32]] = None,
) -> npt.NDArray[np.int32]:
    """Cut connected regions into one an object.

    Parameters
    ----------
    how : Declumping
    regions : ndarray of shape (Y, X), int32
        Connected, 0 is background.
    planes : dict of str to ndarray of shape (Y, X)
        By role.
    settings : Postprocessing
    usable : ndarray of shape (Y, X), bool, optional
    image : ndarray of shape (Y, X), float32, optional

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background; not numbered without gaps.

    Notes
    -----
    By ``probability``, each connected part of a region whose `marker_score` lies above the marker threshold, and
    which is not too small, seeds one object. By ``shape``, each peak of the distance to the edge does; by
    ``intensity``, each peak of the image's brightness: those two are IdentifyPrimaryObjects' methods of these names.
    Seeds are sought in the smoothed score, and kept apart; the lines between objects follow the score as it is.
    A region without a seed is kept whole.
    """
    if how.method == "none":
        return regions
    if how.method == "probability":
        score = marker_score(planes)
    elif how.method == "shape":
        score = distance_to_edge(regions)
    else:
        if image is None:
            raise ValueError("To separate objects by their intensity, their image is needed.")
        score = brightness_of_objects(image, regions, usable)
    smooth = smoothed(score, how.smoothing_px, usable)
    if how.method == "probability":
        markers, _ = ndimage.label((regions > 0) & (smooth > settings.marker_threshold))
        markers = relabel(markers, settings.marker_min_size_px)
    else:
        markers = peaks(smooth, regions)
    return split_regions(regions, keep_apart(markers, smooth, regions, how.min_distance_px), score)


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

    Notes
    -----
    Only regions with two seeds or more need a watershed (Meyer's flooding, in scikit-image), which runs on the score,
    from the seeds outwards, and never leaves the region.
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
    """Return the pixels of a mask whose neighbors beside, above and below lie in it too; the frame does not count.

    Of a stack (Z, Y, X), each plane for itself.
    """
    inner = mask.copy()
    inner[..., 1:, :] &= mask[..., :-1, :]
    inner[..., :-1, :] &= mask[..., 1:, :]
    inner[..., 1:] &= mask[..., :-1]
    inner[..., :-1] &= mask[..., 1:]
    return inner
