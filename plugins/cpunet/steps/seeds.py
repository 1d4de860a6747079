"""Find seeds for the watershed, one in each object: by the model's probabilities, by shape, or by brightness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.morphology import local_maxima

from cpunet.steps.filters import fill_holes, relabel

Labels = npt.NDArray[np.int32]
Plane = npt.NDArray[np.float32]
# The full width at half maximum of a Gaussian in standard deviations, as IdentifyPrimaryObjects has it.
WIDTH_IN_SIGMA = 2.35


ByRole = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Declumping:
    """How touching objects are separated.

    Attributes
    ----------
    method : str
        One of `cpunet.options.DECLUMP_METHODS`.
    smoothing_px : float
        The image in which seeds are found is smoothed first, by a Gaussian of this full width at half maximum.
    min_distance_px : float
        Of two seeds in one region whose centers are closer, only the higher is kept.
    fill_before_px : float
        Holes of up to this many pixels are filled before seeds are found.
    """

    method: str = "probability"
    smoothing_px: float = 0
    min_distance_px: float = 0
    fill_before_px: float = 0


def marker_score(by_role: ByRole) -> npt.NDArray[np.float32]:
    """Return the score in which seeds are found, (Y, X), 0..1.

    It is the distance, or else the interior, or else the foreground; multiplied by one minus the border, and by one
    minus the boundary, to separate objects that touch.
    """
    for role in ("distance", "interior", "foreground"):
        if role in by_role:
            score = by_role[role]
            break
    for role in ("border", "boundary"):
        if role in by_role:
            separated = 1 - by_role[role]
            separated *= score
            score = separated
    return score


def distance_to_edge(regions: Labels) -> Plane:
    """Return each pixel's distance to the nearest background of the regions (Y, X): the score of the method ``shape``.

    Holes count as filled, as in IdentifyPrimaryObjects: the center of an object may lie beside one. The image's frame
    is no edge.
    """
    filled = fill_holes(regions) > 0
    if filled.all():
        return np.ones(regions.shape, np.float32)
    distance: Plane = ndimage.distance_transform_edt(filled).astype(np.float32)
    return distance


def brightness_of_objects(image: Plane, regions: Labels, usable: Optional[npt.NDArray[np.bool_]] = None) -> Plane:
    """Return an image (Y, X) in which objects are brighter than the background: the score of ``intensity``.

    It is `image`, or its negative if the median of the regions is darker than that of the usable background.
    """
    inside = regions > 0
    outside = ~inside if usable is None else usable & ~inside
    if inside.any() and outside.any() and np.median(image[inside]) < np.median(image[outside]):
        return -image
    return image


def smoothed(
    plane: Plane, smoothing_px: float, usable: Optional[npt.NDArray[np.bool_]] = None, z_step_px: float = 1.0
) -> Plane:
    """Smooth (Y, X), or (Z, Y, X) with planes so many pixels apart, with a Gaussian of this full width at half maximum.

    What lies beyond the frame or is not usable is left out; the result is 0 where no usable pixel is near.
    """
    if smoothing_px == 0:
        return plane
    counts = np.ones(plane.shape, np.float32) if usable is None else usable.astype(np.float32)
    sigma = [smoothing_px / WIDTH_IN_SIGMA / step for step in (z_step_px, 1.0, 1.0)[-plane.ndim :]]
    weight = ndimage.gaussian_filter(counts, sigma, mode="constant")
    total = ndimage.gaussian_filter(plane * counts, sigma, mode="constant")
    result = np.zeros_like(plane)
    np.divide(total, weight, out=result, where=weight > 0)
    return result


def peaks(score: Plane, regions: Labels) -> Labels:
    """Mark the local maxima of the score in each region, all (Y, X) or (Z, Y, X), with the numbers 1..n.

    Several pixels of one height that touch, also by a corner, are one maximum.
    """
    inside = regions > 0
    # The background is lower than any region, so that a maximum at the edge of a region counts.
    tops = inside & local_maxima(np.where(inside, score, score.min() - 1))
    numbered, _ = ndimage.label(tops, np.ones((3,) * tops.ndim, bool))
    markers = np.zeros(regions.shape, np.int32)
    if tops.any():
        # Two regions may meet at a corner, and one maximum extend over both.
        both = numbered[tops].astype(np.int64) * (int(regions.max()) + 1) + regions[tops]
        markers[tops] = 1 + np.unique(both, return_inverse=True)[1].ravel()
    return markers


def keep_apart(
    markers: Labels, score: Plane, regions: Labels, min_distance_px: float, z_step_px: float = 1.0
) -> Labels:
    """Drop seeds that are too close to a higher seed of their region, and number the others 1..n.

    From the highest seed down, each seed that is left drops all whose center (mean row and column) is nearer than
    `min_distance_px`. Of seeds of one height, the larger goes first, then the first. Seeds of other regions do not
    count, as in IdentifyPrimaryObjects. The markers are 1..n without gaps; all arrays are (Y, X), or (Z, Y, X) with
    planes so many pixels apart.
    """
    count = int(markers.max())
    if min_distance_px == 0 or count < 2:
        return markers
    places = np.nonzero(markers)
    number = markers[places] - 1
    area = np.bincount(number, minlength=count)
    center = np.stack([np.bincount(number, weights=axis, minlength=count) / area for axis in places], axis=1)
    center *= (z_step_px, 1.0, 1.0)[-markers.ndim :]
    height = np.full(count, -np.inf)
    np.maximum.at(height, number, score[places])
    region = np.zeros(count, np.intp)
    region[number] = regions[places]
    nearer = float(np.nextafter(min_distance_px, 0))
    tree = cKDTree(center)
    kept = np.ones(count, bool)
    for index in np.lexsort((np.arange(count), -area, -height)):
        if kept[index]:
            near = np.array(tree.query_ball_point(center[index], nearer))
            kept[near[region[near] == region[index]]] = False
            kept[index] = True
    return relabel(np.where(np.append(False, kept)[markers], markers, 0).astype(np.int32))
