"""Join objects of which one ends where the other begins: those missed, or merged with a neighbor, in a plane."""

from __future__ import annotations

from typing import Any, List, NamedTuple

import numpy as np
import numpy.typing as npt

from cpunet.steps.linking.neighbors import LEAST_SHARED
from cpunet.steps.linking.profiles import Labels, profiles_of
from cpunet.steps.linking.waists import waists

# Planes between the end of one object and the beginning of the other, at most.
PLANES_MISSED = 1


class Pair(NamedTuple):
    """Two objects that may be one."""

    planes: int
    shared: float
    ending: int
    beginning: int


def join_ends(labels: Labels, brightness: npt.NDArray[Any]) -> Labels:
    """Give objects the same number if one goes on where the other ends.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
        Each object has a region in all planes from its first to its last; not changed.
    brightness : ndarray of shape (Z, Y, X), any real dtype

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        Numbers have gaps.

    Notes
    -----
    The last region of one object and the first of the other must share at least half of the smaller one, in the next
    plane or the one after it. Pairs in neighboring planes come first, and then those that share most (IoU). Two objects
    that together would have a waist stay two. A plane in which the object was missed stays background.
    """
    area, contrast = profiles_of(labels, brightness)
    joined = np.arange(area.shape[1])
    ended, begun = set(), set()
    for _, _, ending, beginning in sorted(_pairs(labels, area), key=lambda pair: (pair.planes, -pair.shared)):
        if ending in ended or beginning in begun or joined[ending] == joined[beginning]:
            continue
        both = np.isin(joined, (joined[ending], joined[beginning]))
        areas = area[:, both].sum(axis=1)
        there = areas > 0
        total = (area[:, both] * contrast[:, both]).sum(axis=1)
        if waists(areas[there], total[there] / areas[there]):
            continue
        joined[joined == joined[beginning]] = joined[ending]
        ended.add(ending)
        begun.add(beginning)
    return joined.astype(np.int32)[labels]


def _pairs(labels: Labels, area: npt.NDArray[np.float64]) -> List[Pair]:
    there = area > 0
    first, last = there.argmax(axis=0), len(there) - 1 - there[::-1].argmax(axis=0)
    pairs = []
    for step in range(1, PLANES_MISSED + 2):
        for z in range(len(labels) - step):
            ends, begins = (last == z) & there[z], (first == z + step) & there[z + step]
            if not ends.any() or not begins.any():
                continue
            upper, lower = labels[z], labels[z + step]
            over = ends[upper] & begins[lower]
            of_pairs, counts = np.unique(upper[over].astype(np.int64) * len(first) + lower[over], return_counts=True)
            for pair, shared in zip(of_pairs.tolist(), counts.tolist()):
                ending, beginning = divmod(pair, len(first))
                areas = area[z, ending], area[z + step, beginning]
                if shared >= LEAST_SHARED * min(areas):
                    pairs.append(Pair(step, shared / (sum(areas) - shared), ending, beginning))
    return pairs
