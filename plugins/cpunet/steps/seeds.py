"""Seeds for the watershed: one in each object, sought by what the model says, by roundness, or by brightness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.morphology import local_maxima

from cpunet.steps.filters import fill_holes, relabel

Labels = npt.NDArray[np.int32]
Plane = npt.NDArray[np.float32]
# Full width at half maximum of a Gaussian, in its standard deviations; IdentifyPrimaryObjects' own figure.
WIDTH_IN_SIGMA = 2.35


@dataclass(frozen=True)
class Declumping:
    """How touching objects are told apart.

    Attributes
    ----------
    method : str
        One of `cpunet.options.DECLUMP_METHODS`.
    smoothing_px : float
        Full width at half maximum of the Gaussian over the plane in which seeds are sought; 0 for none.
    min_distance_px : float
        Of two seeds in one region whose middles lie closer, only the higher is kept; 0 keeps all.
    fill_before_px : float
        Holes of up to this many pixels are filled before seeds are sought; 0 for none.
    """

    method: str = "probability"
    smoothing_px: float = 0
    min_distance_px: float = 0
    fill_before_px: float = 0


def distance_to_edge(regions: Labels) -> Plane:
    """Return how deep each pixel lies in the mask: the score that tells round objects apart by their shape.

    Parameters
    ----------
    regions : ndarray of shape (Y, X), int32
        0 is background.

    Returns
    -------
    ndarray of shape (Y, X), float32
        Pixels to the nearest background; a hole inside a region counts as filled, as in IdentifyPrimaryObjects,
        since a middle may lie beside it. The image's frame is no edge.
    """
    filled = fill_holes(regions) > 0
    if filled.all():
        return np.ones(regions.shape, np.float32)
    distance: Plane = ndimage.distance_transform_edt(filled).astype(np.float32)
    return distance


def brightness_of_objects(image: Plane, regions: Labels, usable: Optional[npt.NDArray[np.bool_]] = None) -> Plane:
    """Return an image in which objects are brighter than the background: the score of the declumping by intensity.

    Parameters
    ----------
    image : ndarray of shape (Y, X), float32
    regions : ndarray of shape (Y, X), int32
        0 is background.
    usable : ndarray of shape (Y, X), bool, optional
        What else may count as background.

    Returns
    -------
    ndarray of shape (Y, X), float32
        The image itself, or its negative if the median of the regions is darker than that of the background.
    """
    inside = regions > 0
    outside = ~inside if usable is None else usable & ~inside
    if inside.any() and outside.any() and np.median(image[inside]) < np.median(image[outside]):
        return -image
    return image


def smoothed(plane: Plane, smoothing_px: float, usable: Optional[npt.NDArray[np.bool_]] = None) -> Plane:
    """Smooth with a Gaussian that takes nothing from beyond the frame or from masked-out pixels.

    Parameters
    ----------
    plane : ndarray of shape (Y, X), float32
    smoothing_px : float
        Full width at half maximum; 0 returns `plane` itself.
    usable : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    ndarray of shape (Y, X), float32
        0 where nothing usable is near.
    """
    if smoothing_px == 0:
        return plane
    counts = np.ones(plane.shape, np.float32) if usable is None else usable.astype(np.float32)
    sigma = smoothing_px / WIDTH_IN_SIGMA
    weight = ndimage.gaussian_filter(counts, sigma, mode="constant")
    total = ndimage.gaussian_filter(plane * counts, sigma, mode="constant")
    result = np.zeros_like(plane)
    np.divide(total, weight, out=result, where=weight > 0)
    return result


def peaks(score: Plane, regions: Labels) -> Labels:
    """Mark each place of a region that is higher than all around it.

    Parameters
    ----------
    score : ndarray of shape (Y, X), float32
    regions : ndarray of shape (Y, X), int32
        0 is background.

    Returns
    -------
    ndarray of shape (Y, X), int32
        1..n, a number for each maximum; all pixels of a level top bear one. Corners count as neighbors.
    """
    inside = regions > 0
    # Lower than any region, so that a maximum at a region's edge is one.
    tops = inside & local_maxima(np.where(inside, score, score.min() - 1))
    numbered, _ = ndimage.label(tops, np.ones((3, 3), bool))
    markers = np.zeros(regions.shape, np.int32)
    if tops.any():
        # Two regions may meet at a corner, and a level top cross it.
        both = numbered[tops].astype(np.int64) * (int(regions.max()) + 1) + regions[tops]
        markers[tops] = 1 + np.unique(both, return_inverse=True)[1].ravel()
    return markers


def keep_apart(markers: Labels, score: Plane, regions: Labels, min_distance_px: float) -> Labels:
    """Drop seeds that lie too close to a higher one of their region.

    Parameters
    ----------
    markers : ndarray of shape (Y, X), int32
        1..n without gaps, within the regions.
    score : ndarray of shape (Y, X), float32
    regions : ndarray of shape (Y, X), int32
    min_distance_px : float
        Between the middles (mean row and column) of two seeds; 0 keeps all.

    Returns
    -------
    ndarray of shape (Y, X), int32
        1..n without gaps.

    Notes
    -----
    From the highest seed down, each that is still there drops those nearer than the distance. Ties go to the larger
    seed, then to the first. Seeds of other regions do not count, as in IdentifyPrimaryObjects.
    """
    count = int(markers.max())
    if min_distance_px == 0 or count < 2:
        return markers
    y, x = np.nonzero(markers)
    number = markers[y, x] - 1
    area = np.bincount(number, minlength=count)
    middle = np.stack([np.bincount(number, weights=axis, minlength=count) / area for axis in (y, x)], axis=1)
    height = np.full(count, -np.inf)
    np.maximum.at(height, number, score[y, x])
    region = np.zeros(count, np.intp)
    region[number] = regions[y, x]
    nearer = float(np.nextafter(min_distance_px, 0))
    tree = cKDTree(middle)
    kept = np.ones(count, bool)
    for index in np.lexsort((np.arange(count), -area, -height)):
        if kept[index]:
            near = np.array(tree.query_ball_point(middle[index], nearer))
            kept[near[region[near] == region[index]]] = False
            kept[index] = True
    return relabel(np.where(np.append(False, kept)[markers], markers, 0).astype(np.int32))
