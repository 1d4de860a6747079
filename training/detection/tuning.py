"""Choose the score threshold of Mask R-CNN on validation images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cpunet.model.instances import Instances
from cpunet.model.protocol import InstanceModel
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import ImageScores, pool_scores
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.torch_model import score_images

MOST_TUNED_ON = 20
SCORE_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def best_score_threshold(
    model: InstanceModel, sets: Sequence[Sequence[IndexRow]], diameters: Sequence[float | None]
) -> tuple[float, float]:
    """Find the score threshold with the best mean F1 on validation images, each set counted the same.

    Parameters
    ----------
    model : InstanceModel
    sets : sequence of sequence of IndexRow
        Validation images by data set; of each, at most `MOST_TUNED_ON` are taken, evenly over its index.
    diameters : sequence of float or None
        The typical diameter in each set, as a user would give it; None leaves it to be measured on each image.

    Returns
    -------
    threshold, score : float
        One of `SCORE_THRESHOLDS`, and its mean F1, 0..1. Of equals the lowest.
    """
    chosen = [rows[:: -(-len(rows) // MOST_TUNED_ON)] for rows in sets]
    found: dict[float, list[float]] = {threshold: [] for threshold in SCORE_THRESHOLDS}
    progress, done = Progress("tuning the score threshold: image", sum(map(len, chosen))), 0
    for rows, diameter in zip(chosen, diameters, strict=True):
        images: dict[float, list[ImageScores]] = {threshold: [] for threshold in SCORE_THRESHOLDS}
        for row in rows:
            seen = RememberedTiles(model)
            for threshold in SCORE_THRESHOLDS:
                images[threshold] += score_images(seen.at(threshold), [row], Options(diameter_px=diameter))
            done += 1
            progress.show(done)
        for threshold, scores in images.items():
            found[threshold].append(pool_scores(scores).mean_f1)
    progress.end()
    means = {threshold: float(np.mean(values)) for threshold, values in found.items()}
    best = max(means, key=lambda threshold: means[threshold])
    return best, means[best]


class RememberedTiles:
    """A detector that looks at each tile of an image once, for trials of what is made of it.

    Parameters
    ----------
    network : InstanceModel
    """

    def __init__(self, network: InstanceModel) -> None:
        self.network = network
        self.card = network.card
        self._seen: dict[bytes, Instances] = {}

    def at(self, score_threshold: float) -> RememberedTiles:
        """Return the same with another threshold in its card."""
        other = RememberedTiles(self.network)
        other._seen = self._seen
        settings = replace(self.card.postprocessing, score_threshold=score_threshold)
        other.card = replace(self.card, postprocessing=settings)
        return other

    def find_instances(self, image: NDArray[np.float32]) -> Instances:
        """Find the objects of one image (1, C, Y, X)."""
        key = hashlib.sha256(image.tobytes() + str(image.shape).encode()).digest()
        if key not in self._seen:
            self._seen[key] = self.network.find_instances(image)
        return self._seen[key]
