"""What the network is asked to predict, computed from instance labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

ROLES = ("foreground", "border", "distance")


def border_between_objects(labels: NDArray[np.integer], reach_px: int) -> NDArray[np.bool_]:
    """Mark the pixels that lie close to two objects or more.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background.
    reach_px : int
        How near is close, in pixels along either axis. Two touching objects get a line of twice
        this width along their contact; a gap of up to 2 * `reach_px` - 1 pixels is filled.

    Returns
    -------
    ndarray of shape (Y, X), bool

    Notes
    -----
    A pixel is close to two objects if the largest and the smallest label around it differ; this is
    the overlap of the dilated objects without dilating them one by one. The border class goes back to
    the winners of the Data Science Bowl 2018 (Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7).
    """
    size = 2 * reach_px + 1
    highest = ndimage.maximum_filter(labels, size=size)
    without_background = np.where(labels == 0, np.iinfo(labels.dtype).max, labels)
    lowest = ndimage.minimum_filter(without_background, size=size)
    return (highest != 0) & (highest != lowest)


def normalized_distance(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Distance to the edge of a pixel's own object, divided by the largest in that object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background.

    Returns
    -------
    ndarray of shape (Y, X), float32
        0 in the background, 1 in the middle of each object, whatever its size. An object cut by the
        image's frame has no edge there, so that its middle may lie on the frame.
    """
    # Pixels on an object's rim get half a pixel, the distance of their centre to the edge.
    around = {"size": 3, "mode": "nearest"}
    rim = ndimage.maximum_filter(labels, **around) != ndimage.minimum_filter(labels, **around)
    inside = (labels > 0) & ~rim
    if inside.all():  # one object over the whole patch: no edge in sight, and no distance to one
        return np.ones(labels.shape, np.float32)
    distance = ndimage.distance_transform_edt(inside) + 0.5
    largest = np.zeros(int(labels.max()) + 1)
    np.maximum.at(largest, labels.ravel(), distance.ravel())
    return np.where(labels > 0, distance / largest[labels], 0).astype(np.float32)


def make_targets(labels: NDArray[np.integer], border_reach_px: int) -> NDArray[np.float32]:
    """Turn instance labels into the channels that the network learns.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background.
    border_reach_px : int
        See `border_between_objects`.

    Returns
    -------
    ndarray of shape (3, Y, X), float32
        Foreground, border and distance (the order of `ROLES`), each 0..1.
    """
    return np.stack([labels > 0, border_between_objects(labels, border_reach_px), normalized_distance(labels)]).astype(
        np.float32
    )
