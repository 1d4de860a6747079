"""Link the regions of the planes of a stack to objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cpunet.steps.linking.ends import join_ends
from cpunet.steps.linking.neighbors import link_neighbors
from cpunet.steps.linking.profiles import Labels, brightness_of
from cpunet.steps.linking.short import drop_short
from cpunet.steps.linking.waists import cut_at_waists


def link_planes(planes: Labels, stack: npt.NDArray[Any]) -> Labels:
    """Make objects of the regions that were found in each plane of a stack by itself.

    Parameters
    ----------
    planes : ndarray of shape (Z, Y, X), int32
        Each plane numbered by itself, 0 is background; numbers may have gaps. Not changed.
    stack : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
        The image in which they were found. Voxels that are not finite are left out of the brightness of regions.

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        1..n without gaps.

    Notes
    -----
    1. `link_neighbors` links the regions of neighboring planes that lie over each other.
    2. `cut_at_waists` separates objects above each other, at planes in which they are darker or smaller than on both
       sides.
    3. `join_ends` joins objects that were missed, or merged with a neighbor, in a plane.
    4. `drop_short` drops what lies in far fewer planes than its width lets one expect.

    No step needs to know how far the planes lie apart.
    """
    brightness = brightness_of(stack)
    cut = cut_at_waists(link_neighbors(planes), brightness)
    return in_order(drop_short(join_ends(cut, brightness)))


def in_order(labels: Labels) -> Labels:
    """Give objects the numbers 1..n in the order of the planes in which they first appear.

    >>> in_order(np.array([[[0, 7]], [[3, 7]], [[5, 0]]]))[:, 0].tolist()
    [[0, 1], [2, 1], [3, 0]]
    """
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    count = 0
    for plane in labels:
        new = np.flatnonzero((np.bincount(plane.ravel(), minlength=len(table)) > 0) & (table == 0))
        new = new[new > 0]
        table[new] = count + 1 + np.arange(len(new))
        count += len(new)
    return table[labels]
