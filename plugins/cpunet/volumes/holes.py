"""Fill the holes of objects in a volume: background that one object encloses in all directions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cpunet.steps.runs import areas_of_runs, runs_of, stretches

Labels = npt.NDArray[np.int32]


def fill_holes_in_volume(labels: Labels, largest_px: float = np.inf) -> Labels:
    """Fill each hole that is surrounded by one object.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
        Changed in place.
    largest_px : float
        Larger holes, voxels, stay open.

    Returns
    -------
    ndarray of the same shape, int32
        `labels`. A patch of background is a hole if it reaches no side of the volume, the first and the last plane
        included, and touches one object only. Voxels touch by their faces.
    """
    patches, count = ndimage.label(labels == 0, output=np.int32)
    open_patches = np.zeros(count + 1, bool)
    open_patches[0] = True
    for axis in range(3):
        for side in (0, -1):
            open_patches[np.take(patches, side, axis)] = True
    runs = runs_of(patches)
    if largest_px < np.inf:
        open_patches |= areas_of_runs(runs) > largest_px
    if open_patches.all():
        return labels
    inside = ~open_patches[runs.number]
    places = stretches(runs.first[inside], runs.length[inside])
    patch = np.repeat(runs.number[inside], runs.length[inside])
    lowest, highest = np.full(count + 1, np.iinfo(np.int32).max, np.int32), np.zeros(count + 1, np.int32)
    flat, width = labels.reshape(-1), labels.shape[2]
    for step in (1, width, width * labels.shape[1]):  # no hole reaches a side, so each voxel has all neighbors
        for beside in (flat[places - step], flat[places + step]):
            np.minimum.at(lowest, patch[beside > 0], beside[beside > 0])
            np.maximum.at(highest, patch[beside > 0], beside[beside > 0])
    of_one = (lowest == highest)[patch]
    flat[places[of_one]] = highest[patch[of_one]]
    return labels
