"""Put images that look alike together, without knowing their modality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, pdist, squareform

from cpunet.training.checking.image_facts import ImageFacts

MOST_CLUSTERS = 8
LEAST_SILHOUETTE, NEAR_BEST = 0.5, 0.9
COMPARED = 1500


@dataclass(frozen=True)
class Cluster:
    """Images that look alike.

    Attributes
    ----------
    facts : tuple of ImageFacts
        The most typical first.
    modalities : mapping of str to int
        How many of them the index gives each modality.
    """

    facts: tuple[ImageFacts, ...]
    modalities: Mapping[str, int]


def clusters_of(facts: Sequence[ImageFacts]) -> list[Cluster]:
    """Cluster images by `ImageFacts.features`, the largest cluster first; one cluster if the images do not separate."""
    if not facts:
        return []
    features = np.stack([seen.features for seen in facts])
    numbers = cluster_numbers(features)
    clusters = []
    for number in np.unique(numbers):
        members = np.flatnonzero(numbers == number)
        away = np.linalg.norm(features[members] - np.median(features[members], axis=0), axis=1)
        ordered = tuple(facts[member] for member in members[np.argsort(away, kind="stable")])
        clusters.append(Cluster(ordered, Counter(seen.row.modality for seen in ordered)))
    return sorted(clusters, key=lambda cluster: -len(cluster.facts))


def cluster_numbers(features: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cluster points by Ward's method, into as many clusters as stand well apart.

    Parameters
    ----------
    features : ndarray of shape (N, F), float64

    Returns
    -------
    ndarray of shape (N,), int64

    Notes
    -----
    Of 2 to `MOST_CLUSTERS` clusters it takes the most whose mean silhouette is near the best (Rousseeuw 1987,
    doi:10.1016/0377-0427(87)90125-7), and one if none reaches `LEAST_SILHOUETTE`. Of many points a part is clustered,
    and the others go to the nearest cluster's mean.
    """
    chosen = features[:: -(-len(features) // COMPARED)]
    if len(chosen) < 3:
        return np.ones(len(features), np.int64)
    distances = squareform(pdist(chosen))
    tree = linkage(chosen, "ward")
    counts = range(2, min(MOST_CLUSTERS, len(chosen) - 1) + 1)
    options = [fcluster(tree, count, "maxclust") for count in counts]
    quality = [_silhouette(distances, option) for option in options]
    good = [
        option
        for option, value in zip(options, quality, strict=True)
        if value >= max(LEAST_SILHOUETTE, NEAR_BEST * max(quality))
    ]
    if not good:
        return np.ones(len(features), np.int64)
    numbers = good[-1]
    means = np.stack([chosen[numbers == number].mean(axis=0) for number in np.unique(numbers)])
    if len(chosen) == len(features):
        return numbers.astype(np.int64)
    return cdist(features, means).argmin(axis=1) + 1


def _silhouette(distances: NDArray[np.float64], numbers: NDArray[np.integer]) -> float:
    """Return the mean silhouette, -1..1; 0 for points that are alone, as Rousseeuw defines it."""
    present, numbers = np.unique(numbers, return_inverse=True)
    if len(present) < 2:
        return -1.0
    member = numbers[:, np.newaxis] == np.arange(len(present))
    sums = distances @ member
    sizes = member.sum(axis=0)
    own = sums[member] / np.maximum(sizes[numbers] - 1, 1)
    other = np.where(member, np.inf, sums / sizes).min(axis=1)
    widest = np.maximum(own, other)
    values = np.divide(other - own, widest, out=np.zeros_like(own), where=(widest > 0) & (sizes[numbers] > 1))
    return float(values.mean())
