"""Separate objects that lie above each other and were linked: cut where their brightness or their area has a waist."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from cpunet.steps.linking.profiles import Labels, profiles_of

# An object is two where its mean contrast falls by this part of the lower of two peaks, or its area does. Of 0.25 to
# 0.5 and 0.5 to 0.7, these do best on the training volumes of BBBC050, and as well as any on drawn stacks
# (benchmarks/linked_planes).
FALL_OF_CONTRAST = 0.3
FALL_OF_AREA = 0.6
# Planes that lie before a cut, and from the cut on, at least.
LEAST_PLANES = 2
# The cut may run through so many planes before and behind the waist, where one region shows both objects.
PLANES_BESIDE_CUT = 3
# Smooths the noise of the camera within the planes, in pixels.
SMOOTHING_PX = 1.5


def waists(area: npt.NDArray[np.float64], contrast: npt.NDArray[np.float64]) -> List[int]:
    """Find the planes at which a column of regions is two objects or more.

    Parameters
    ----------
    area, contrast : ndarray of shape (Z,), float64
        Of the column's region in each plane; all areas are positive.

    Returns
    -------
    list of int
        The first plane of each object but the first, in order.

    Notes
    -----
    In a nucleus, contrast and area rise to the middle and fall again. Where the light of two nuclei above each other
    mixes, the region between them stays large, but is darker than both. How far a profile falls between its peaks on
    both sides is measured in parts of the lower peak. The column is cut where it falls most, if that is enough, and
    both parts are examined in turn.

    Examples
    --------
    >>> import numpy as np
    >>> waists(np.full(9, 50.0), np.array([2.0, 5, 6, 4, 2, 5, 8, 6, 1]))
    [4]
    """
    most, place = 1.0, 0
    for z in range(LEAST_PLANES, len(area) - LEAST_PLANES):
        fall = max(_fall(contrast, z) / FALL_OF_CONTRAST, _fall(area, z) / FALL_OF_AREA)
        if fall > most:
            most, place = fall, z
    if not place:
        return []
    behind = waists(area[place:], contrast[place:])
    return [*waists(area[:place], contrast[:place]), place, *[place + z for z in behind]]


def _fall(profile: npt.NDArray[np.float64], z: int) -> float:
    peak = min(profile[:z].max(), profile[z + 1 :].max())
    return float(1 - profile[z] / peak) if peak > 0 else 0.0


def cut_at_waists(linked: Labels, brightness: npt.NDArray[Any]) -> Labels:
    """Cut each object at its waists.

    Parameters
    ----------
    linked : ndarray of shape (Z, Y, X), int32
        1..n without gaps, from `cpunet.steps.linking.neighbors.link_neighbors`; not changed.
    brightness : ndarray of shape (Z, Y, X), any real dtype

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        The first part of each object keeps its number; the others get new ones.

    Notes
    -----
    Nuclei that touch lie rarely straight above each other: a region at the waist shows one on one side and the other on
    the other side. A watershed on the brightness divides the planes beside the cut, from the planes further away as
    markers.
    """
    area, contrast = profiles_of(linked, brightness)
    cut, count = linked.copy(), int(linked.max(initial=0))
    for number, box in enumerate(ndimage.find_objects(linked), start=1):
        planes = box[0]
        places = waists(area[planes, number], contrast[planes, number])
        if not places:
            continue
        inside = linked[box] == number
        parts = _watershed(inside, brightness[box], places)
        numbers = np.array([0, number, *range(count + 1, count + 1 + len(places))], np.int32)
        count += len(places)
        cut[box][inside] = numbers[parts[inside]]
    return cut


def _watershed(inside: npt.NDArray[np.bool_], brightness: npt.NDArray[Any], places: List[int]) -> Labels:
    markers = np.zeros(inside.shape, np.int32)
    for part, (first, last) in enumerate(_cores(len(inside), places), start=1):
        markers[first : last + 1][inside[first : last + 1]] = part
    smooth = ndimage.gaussian_filter(np.nan_to_num(brightness.astype(np.float32)), (0, SMOOTHING_PX, SMOOTHING_PX))
    parts: Labels = watershed(-smooth, markers, mask=inside)
    return parts


def _cores(planes: int, places: List[int]) -> List[Tuple[int, int]]:
    """Return the first and the last plane of each part that belong to it as a whole."""
    cores = []
    for first, end in zip([0, *places], [*places, planes]):
        beside = min(PLANES_BESIDE_CUT, (end - first - 1) // 2)
        cores.append((first + beside * (first > 0), end - 1 - beside * (end < planes)))
    return cores
