"""The size of objects in volumes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cpunet.steps.diameter import diameter_of_sphere
from cpunet.training.data.labeled_images import object_diameters


def ball_diameters(labels: NDArray[np.integer], z_step_px: float) -> NDArray[np.float64]:
    """Return the diameter of a ball of the same volume, in widths of a pixel, for each object.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), integer
        0 is background.
    z_step_px : float
        Distance of the planes over the width of a pixel.

    Examples
    --------
    >>> ball_diameters(np.array([[[1, 1, 0, 5]]]), 2.0).round(2).tolist()
    [1.97, 1.56]
    """
    _, voxels = np.unique(labels[labels > 0], return_counts=True)
    return diameter_of_sphere(voxels * z_step_px)


def seen_diameters(labels: NDArray[np.integer], z_step_px: float) -> NDArray[np.float64]:
    """Return the diameters of the objects, of balls; where only some planes were labeled, of discs in these.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), integer
        0 is background; `cpunet.scores.IGNORED` marks voxels that nobody labeled.
    z_step_px : float
        Distance of the planes over the width of a pixel.

    Notes
    -----
    A ball that is cut at a random height shows a disc of 0.79 times its diameter on average.
    """
    planes = [plane for plane in labels if (plane >= 0).any()]
    if len(planes) == len(labels) > 1:
        return ball_diameters(labels, z_step_px)
    return np.concatenate([object_diameters(plane) for plane in planes]) if planes else np.empty(0)
