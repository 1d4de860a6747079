"""Group images of unknown modality by their contrast."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

SQUARE_PX = 16
# Contrast in parts of the mean intensity, as powers of two: a flat bright field has 2**-8, a star on black 2**3.
LOWEST, HIGHEST, BINS = -8.0, 3.0, 22
MOST_GROUPS = 4


def contrast_histogram(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return which contrasts occur in an image.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
        Channels are averaged.

    Returns
    -------
    ndarray of shape (22,), float64
        Shares that add up to 1: of the squares of 16 x 16 pixels (smaller at the edges), those whose standard deviation
        lies in each of 22 bins from 2**-8 to 2**3 of the image's mean. The exposure changes nothing; the modality,
        the density of objects and the focus do.
    """
    plane = np.nan_to_num(np.asarray(image, np.float64), posinf=0, neginf=0)
    plane = plane.mean(axis=2) if plane.ndim == 3 else plane
    mean = float(np.abs(plane).mean())
    if mean == 0:
        return np.eye(1, BINS, dtype=np.float64)[0]
    spreads = [
        float(plane[top : top + SQUARE_PX, left : left + SQUARE_PX].std())
        for top in range(0, plane.shape[0], SQUARE_PX)
        for left in range(0, plane.shape[1], SQUARE_PX)
    ]
    contrast = np.log2(np.maximum(np.array(spreads) / mean, 2.0**LOWEST)).clip(LOWEST, HIGHEST)
    counts, _ = np.histogram(contrast, BINS, (LOWEST, HIGHEST))
    return np.asarray(counts / counts.sum())


def contrast_groups(histograms: Sequence[NDArray[np.float64]], folds: int, seed: int) -> list[int]:
    """Group images by their `contrast_histogram`.

    Parameters
    ----------
    histograms : sequence of ndarray of shape (22,)
    folds : int
        Groups have two images a fold or more on average, so that each can be spread over all folds.
    seed : int

    Returns
    -------
    list of int
        The group of each image, 1 to at most 4, those of low contrast first.

    Notes
    -----
    k-means (Lloyd 1982, doi:10.1109/TIT.1982.1056489) with the beginnings of k-means++ (Arthur, Vassilvitskii 2007,
    SODA 18, 1027), on cumulated histograms: two neighboring bins are then nearer to each other than two distant ones.
    """
    groups = min(MOST_GROUPS, len(histograms) // (2 * folds))
    if groups < 2:
        return [1] * len(histograms)
    cumulated = np.cumsum(histograms, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a group that became empty: there are then fewer
        _, found = kmeans2(cumulated, groups, iter=50, minit="++", rng=np.random.default_rng(seed))
    level = {group: -cumulated[found == group].sum(axis=1).mean() for group in set(found.tolist())}
    order = {group: place for place, group in enumerate(sorted(level, key=level.__getitem__), start=1)}
    return [order[group] for group in found.tolist()]
