"""Link the regions of neighboring planes, one plane after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cpunet.scores import overlap

# Regions of two neighboring planes belong to one object if at least half of the smaller lies over the larger.
LEAST_SHARED = 0.5


def link_neighbors(planes: npt.NDArray[np.int32], least_shared: float = LEAST_SHARED) -> npt.NDArray[np.int32]:
    """Give the regions of neighboring planes that belong to one object the same number.

    Parameters
    ----------
    planes : ndarray of shape (Z, Y, X), int32
        Each plane numbered by itself, 0 is background; numbers may have gaps.
    least_shared : float
        0..1; two regions are linked only if they share at least this part of the area of the smaller one.

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        1..n without gaps, in the order in which objects first appear.

    Notes
    -----
    A region is linked to a region of the plane before if each is the best match (IoU) of the other and they share
    enough; ties go to the first. An object thus has at most one region in a plane. Where the network merges two
    objects in one plane, one of them ends there and gets a new number afterward. So does an object that is
    missed in a plane. `cpunet.steps.linking.link.link_planes` mends both.

    `stitch3D` in Cellpose (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x) works alike, but asks for an IoU of
    0.25. Between distant planes, the end of a nucleus can have less than a quarter of the area of the plane before, and
    would become an object of its own; but at least half of its area lies over the larger region.

    Examples
    --------
    >>> import numpy as np
    >>> planes = np.array([[[1, 1, 0, 0]], [[5, 5, 0, 2]], [[0, 0, 0, 3]]])
    >>> link_neighbors(planes)[:, 0].tolist()
    [[1, 1, 0, 0], [1, 1, 0, 2], [0, 0, 0, 2]]
    """
    linked = np.zeros(planes.shape, np.int32)
    count = 0
    for z, plane in enumerate(planes):
        ids = np.unique(plane[plane != 0])
        number_of = np.zeros(int(plane.max()) + 1, np.int32)
        before = np.unique(linked[z - 1][linked[z - 1] != 0]) if z else ids[:0]
        if len(ids) and len(before):
            both = overlap(linked[z - 1], plane)
            iou, own = both.iou, np.arange(len(ids))
            best = iou.argmax(axis=0)
            shared = both.intersection[best, own]
            smaller = np.minimum(both.truth_area[best], both.prediction_area)
            mutual = (iou.argmax(axis=1)[best] == own) & (shared > 0) & (shared >= least_shared * smaller)
            number_of[ids[mutual]] = before[best[mutual]]
        new = ids[number_of[ids] == 0]
        number_of[new] = count + 1 + np.arange(len(new))
        count += len(new)
        linked[z] = number_of[plane]
    return linked
