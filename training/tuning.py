"""Choose the thresholds that turn a model's probabilities into objects, on validation images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cpunet.declump import declump
from cpunet.matching import pool_scores, score_image
from cpunet.model_card import Postprocessing
from cpunet.segment import Model, segment_image
from cpunet.training.data import IndexRow, read_labelled_image

FOREGROUND_THRESHOLDS = (0.4, 0.45, 0.5, 0.55, 0.6)
MARKER_THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65)
MIN_SIZES_PX = (0, 10, 20, 30)


def tune_postprocessing(model: Model, sets: Sequence[Sequence[IndexRow]]) -> Postprocessing:
    """Find the thresholds with the best mean F1 on validation images.

    Parameters
    ----------
    model : Model
    sets : sequence of sequence of IndexRow
        Validation images by data set. Each set counts the same, however many objects it holds, so that one choice
        serves all.

    Returns
    -------
    Postprocessing

    Notes
    -----
    Each image is predicted once. First both thresholds are searched together over a grid, then the
    smallest size.
    """
    predicted = [[_predict(model, row) for row in rows] for rows in sets]
    roles = model.card.output.roles

    def mean_f1(foreground: float, marker: float, min_size_px: int) -> float:
        return float(
            np.mean(
                [
                    pool_scores(
                        [
                            score_image(truth, declump(probabilities, roles, foreground, marker, min_size_px))
                            for probabilities, truth in images
                        ]
                    ).mean_f1
                    for images in predicted
                ]
            )
        )

    foreground, marker = max(product(FOREGROUND_THRESHOLDS, MARKER_THRESHOLDS), key=lambda pair: mean_f1(*pair, 0))
    min_size_px = max(MIN_SIZES_PX, key=lambda size: mean_f1(foreground, marker, size))
    return Postprocessing(foreground, marker, min_size_px)


def _predict(model: Model, row: IndexRow) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    truth = read_labelled_image(row)
    return segment_image(truth.image, model).probabilities, truth.labels
