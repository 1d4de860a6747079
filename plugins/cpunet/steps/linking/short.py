"""Drop objects that are far too short for how wide they are, beside the others of the stack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cpunet.steps.linking.profiles import Labels

# An object is dropped if it lies in fewer planes than this part of what its width lets one expect.
LEAST_PART_OF_LENGTH = 0.3


def drop_short(labels: Labels) -> Labels:
    """Drop the objects that lie in fewer planes than objects of their width should.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
        Not changed.

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        With the numbers of `labels`.

    Notes
    -----
    Out of focus, and between two nuclei above each other, a network of images finds regions in one plane or two that
    are no objects. In how many planes an object of some width lies is taken from the stack itself: the median over the
    objects, weighted by their volumes, of the planes divided by the diameter of the largest region. So a stack in which
    all objects lie in one plane or two loses none, and neither does one with small round objects beside large ones.
    What touches the first or the last plane may go on beyond it, and stays.
    """
    count = int(labels.max(initial=0)) + 1
    area = np.stack([np.bincount(plane.ravel(), minlength=count) for plane in labels])
    planes, volume = (area > 0).sum(axis=0), area.sum(axis=0)
    objects = np.flatnonzero(volume > 0)
    objects = objects[objects > 0]
    if not len(objects):
        return labels
    width = np.sqrt(area.max(axis=0) * 4 / np.pi)
    planes_a_pixel = _weighted_median(planes[objects] / width[objects], volume[objects])
    short = planes < LEAST_PART_OF_LENGTH * planes_a_pixel * width
    short &= (area[0] == 0) & (area[-1] == 0)
    kept = np.arange(count, dtype=np.int32)
    kept[short] = 0
    return kept[labels]


def _weighted_median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.intp]) -> float:
    order = np.argsort(values, kind="stable")
    up_to = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(up_to, up_to[-1] / 2)])
