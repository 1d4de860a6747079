"""Corrupt labels on purpose: some objects are missing, and blobs are labeled where there is nothing."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from skimage.draw import ellipse
from skimage.segmentation import relabel_sequential

REMOVED_SHARE = 0.2
# As many blobs as objects were removed.
BLOB_RADIUS_PX = (5.0, 14.0)


def corrupt(labels: NDArray[np.integer], generator: np.random.Generator) -> NDArray[np.uint16]:
    """Remove a share of the objects at random, and add as many blobs in the background.

    Parameters
    ----------
    labels : ndarray of int, (Y, X)
        0 is background.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray of uint16, (Y, X)
        Numbered without gaps.
    """
    found = labels.astype(np.int64)
    numbers = np.unique(labels[labels > 0])
    removed = generator.choice(numbers, round(REMOVED_SHARE * len(numbers)), replace=False)
    found[np.isin(labels, removed)] = 0
    # Blobs lie in what is background in truth, so that none of them is an object by chance.
    free = distance_transform_edt(labels == 0)
    for _ in removed:
        radius = generator.uniform(*BLOB_RADIUS_PX, size=2)
        places = np.argwhere(free > radius.max() + 1)
        if len(places) == 0:
            continue
        center = places[generator.integers(len(places))]
        inside = ellipse(*center, *radius, shape=labels.shape, rotation=generator.uniform(0, np.pi))
        found[inside] = found.max() + 1
        free[inside] = 0
    renumbered, _, _ = relabel_sequential(found)
    return renumbered.astype(np.uint16)
