"""Notice images of which only a part is labeled: bright objects without a label beside others with one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.training.data.labeled_images import object_diameters

# An unlabeled object is at least half as bright above the background as the labeled ones are, and of about their size.
BRIGHTNESS, SMALLEST_AREA, LARGEST_AREA = 0.5, 0.35, 3.0
# Of its own ellipse or box, a nucleus fills most; a fiber or a ring of glow around a clump does not.
LEAST_FILLED = 0.6
# The background must be this many of its own deviations below the objects, or brightness says nothing.
CLEAR = 6.0
# Pixels beside a label are its rim; how far, in parts of the typical diameter.
RIM = 0.15
# So few are left out by accident, or are debris; more, and in this part of the labeled ones, are a habit.
LEAST_UNLABELED, LEAST_SHARE = 3, 0.2


def unlabeled_warnings(image: NDArray[np.generic], labels: NDArray[np.integer]) -> list[tuple[str, str]]:
    """Return a warning if many objects of an image seem to have no label; nothing if not.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    labels : ndarray of shape (Y, X), integer
        0 is background, -1 what nobody labeled, which is not searched.

    Returns
    -------
    list of (str, str)
        A kind and a sentence.
    """
    labeled = len(object_diameters(labels))
    count = count_unlabeled(image, labels)
    if count < max(LEAST_UNLABELED, LEAST_SHARE * labeled):
        return []
    return [
        (
            "unlabeled",
            f"about {count} objects as bright and as large as the {labeled} labeled ones have no label: training takes "
            "them for background. Label them, mark what is not labeled (ignore/), or cut out the labeled part.",
        )
    ]


def count_unlabeled(image: NDArray[np.generic], labels: NDArray[np.integer]) -> int:
    """Count objects without a label that look like the labeled ones; 0 where brightness tells no objects.

    Notes
    -----
    1. Smooth the mean of the channels by a tenth of the typical diameter.
    2. Take what is brighter than half way from the background's median to the objects' (dark objects: darker).
    3. Count its connected pieces away from labels that have about the area of the labeled objects and are compact.
    """
    diameters = object_diameters(labels)
    background = labels == 0
    if not len(diameters) or not background.any():
        return 0
    diameter = float(np.median(diameters))
    plane = np.nan_to_num(np.asarray(image, np.float64))
    plane = ndimage.gaussian_filter(plane if plane.ndim == 2 else plane.mean(axis=2), diameter / 10)
    inside, outside = float(np.median(plane[labels > 0])), float(np.median(plane[background]))
    noise = 1.4826 * float(np.median(np.abs(plane[background] - outside)))
    if abs(inside - outside) < CLEAR * noise or inside == outside:
        return 0
    like_objects = (plane - outside) / (inside - outside) > BRIGHTNESS
    near = ndimage.distance_transform_edt(labels <= 0) <= max(2.0, RIM * diameter)
    pieces, count = ndimage.label(like_objects & background & ~near)
    area = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    typical = np.pi * diameter**2 / 4
    found = 0
    for number, window in enumerate(ndimage.find_objects(pieces), start=1):
        if SMALLEST_AREA * typical <= area[number - 1] <= LARGEST_AREA * typical:
            height, width = (side.stop - side.start for side in window)
            found += bool(area[number - 1] >= LEAST_FILLED * height * width)
    return found
