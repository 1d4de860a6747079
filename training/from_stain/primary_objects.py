"""Find nuclei as CellProfiler's IdentifyPrimaryObjects does, where CellProfiler is not installed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from cpunet.steps.filters import fill_holes, filter_objects
from cpunet.training.from_stain.adaptive_otsu import adaptive_otsu

DECLUMP_METHODS = ("intensity", "shape", "none")
# The image is smoothed by this before the threshold.
THRESHOLD_SIGMA = 1.0
# In the smallest diameter: what smooths before seeds are found, and how far a seed must be higher than all else.
SMOOTHING_SHARE, HIGHEST_WITHIN_SHARE = 1 / 3.5, 1 / 1.5
# The module cuts its Gaussian off at 1.2 standard deviations, half its full width at half maximum.
WIDTH_IN_SIGMA = 2.35
EVERY_SIDE_AND_CORNER = np.ones((3, 3), bool)


def primary_objects(
    image: NDArray[np.float32],
    window_px: int,
    bounds: tuple[float, float],
    declump: str,
    diameters_px: tuple[float, float],
) -> NDArray[np.int32]:
    """Find objects in a picture of bright nuclei.

    Parameters
    ----------
    image : ndarray of shape (Y, X), float32
        0..1.
    window_px : int
        Side of the windows of the adaptive threshold, see `adaptive_otsu`.
    bounds : tuple of float
        Lowest and highest threshold, 0..1.
    declump : str
        How touching objects are separated: ``intensity``, ``shape`` or ``none``.
    diameters_px : tuple of float
        The smallest and the largest diameter of a disc of an object's area.

    Returns
    -------
    ndarray of shape (Y, X), int32
        1..n without gaps. Objects at the frame are kept.

    Notes
    -----
    1. Pixels of the slightly smoothed image above the adaptive threshold are foreground; holes are filled.
    2. Each connected region is divided among its seeds by a watershed. ``intensity``: seeds are peaks of the smoothed
       image. ``shape``: seeds are the points farthest from the edge.
    3. Objects that are too small or too large are dropped, and the holes of the others filled.

    The module finds seeds in a smaller image where the smallest diameter is above 10 px; here the image keeps its size.
    Source: CellProfiler 4.2.8, modules/identifyprimaryobjects.py.
    """
    smallest, largest = diameters_px
    smooth = _smoothed(image, THRESHOLD_SIGMA, radius=4)
    foreground = smooth >= adaptive_otsu(image, window_px, bounds)
    regions, _ = ndimage.label(foreground, EVERY_SIDE_AND_CORNER)
    regions = fill_holes(regions.astype(np.int32), largest**2)
    objects = regions if declump == "none" else _divided(image, regions, declump, smallest)
    return filter_objects(objects, diameters_px).labels


def _divided(image: NDArray[np.float32], regions: NDArray[np.int32], method: str, smallest: float) -> NDArray[np.int32]:
    if method == "intensity":
        width = WIDTH_IN_SIGMA * SMOOTHING_SHARE * smallest
        score = _smoothed(image, SMOOTHING_SHARE * smallest, radius=max(1, int(width / 2)))
        height = image
    else:
        distance = ndimage.distance_transform_edt(regions > 0)
        # Points equally far from the edge are told apart by the very noise that the module adds.
        score = height = distance + np.random.RandomState(0).uniform(0, 0.001, distance.shape)
    reach = _disc(max(1, HIGHEST_WITHIN_SHARE * smallest - 0.5))
    seeds = np.zeros(regions.shape, np.int32)
    places = peak_local_max(score, footprint=reach, labels=regions, exclude_border=False)
    seeds[tuple(places.T)] = np.arange(1, len(places) + 1)
    return watershed(-height, seeds, mask=regions > 0, connectivity=2).astype(np.int32)


def _disc(radius: float) -> NDArray[np.bool_]:
    y, x = np.mgrid[-int(radius) : int(radius) + 1, -int(radius) : int(radius) + 1]
    return y * y + x * x <= radius * radius


def _smoothed(image: NDArray[np.float32], sigma: float, radius: int) -> NDArray[np.float32]:
    """Smooth by a Gaussian that is cut off at a radius, pixels; what lies beyond the frame does not count."""
    shares = ndimage.gaussian_filter(np.ones_like(image), sigma, mode="constant", radius=radius)
    return ndimage.gaussian_filter(image, sigma, mode="constant", radius=radius) / shares
