"""Grow the objects of a volume into the background."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Labels = npt.NDArray[np.int32]
# The places of the nearest objects take 12 bytes a voxel, so they are searched in so many voxels at a time.
VOXELS_AT_A_TIME = 2**22


def grow_in_volume(labels: Labels, distance_px: float, z_step_px: float) -> Labels:
    """Grow objects by a distance, as `skimage.segmentation.expand_labels` does in one piece and without a z step.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
    distance_px : float
        In widths of a pixel.
    z_step_px : float
        Distance between two planes.

    Returns
    -------
    ndarray of the same shape, int32
        A voxel of the background within the distance belongs to the nearest object.
    """
    grown = labels.copy()
    beside = math.ceil(distance_px / z_step_px)
    planes = max(1, VOXELS_AT_A_TIME // max(1, labels.shape[1] * labels.shape[2]))
    for first in range(0, len(labels), planes):
        start = max(0, first - beside)
        part = labels[start : first + planes + beside]
        if not part.any():
            continue
        distance, nearest = ndimage.distance_transform_edt(
            part == 0, sampling=(z_step_px, 1.0, 1.0), return_indices=True
        )
        own = slice(first - start, first - start + planes)
        near = distance[own] <= distance_px
        grown[first : first + planes][near] = part[tuple(axis[own][near] for axis in nearest)]
    return grown
