"""Choose the thresholds that turn a model's probabilities into objects, on validation images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cpunet.declump import declump
from cpunet.matching import pool_scores, score_image
from cpunet.model_card import Postprocessing
from cpunet.segment import Model, segment_image
from cpunet.training.data import IndexRow, read_labelled_image

# A marker threshold below 0.25 may gain some thousandths of F1 on validation, since a marker then fills nearly all of
# its object and texture splits nothing; but clumps of a kind that was not trained on stay merged.
CANDIDATES = {
    "marker_threshold": (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6),
    "marker_min_size_px": (0, 5, 10, 15, 20, 30),
    "min_size_px": (0, 10, 20, 30, 40, 50),
    "foreground_threshold": (0.4, 0.45, 0.5, 0.55, 0.6),
}
ROUNDS = 2

Predicted = tuple[NDArray[np.float32], NDArray[np.int32]]


def tune_postprocessing(model: Model, sets: Sequence[Sequence[IndexRow]]) -> Postprocessing:
    """Find the settings with the best mean F1 on validation images.

    Parameters
    ----------
    model : Model
    sets : sequence of sequence of IndexRow
        Validation images by data set. Each set counts the same, however many objects it holds, so that
        one choice serves all.

    Returns
    -------
    Postprocessing

    Notes
    -----
    Each image is predicted once. The settings are then searched one after the other, twice round, each over
    `CANDIDATES` with the others held.
    """
    predicted = [[_predict(model, row) for row in rows] for rows in sets]
    best = Postprocessing()
    for _ in range(ROUNDS):
        for name, values in CANDIDATES.items():
            trials = [replace(best, **{name: value}) for value in values]
            best = max(trials, key=lambda trial: mean_f1_of_sets(predicted, model.card.output.roles, trial))
    return best


def mean_f1_of_sets(predicted: Sequence[Sequence[Predicted]], roles: Sequence[str], settings: Postprocessing) -> float:
    """Return the mean over the sets of their mean F1, 0..1."""
    return float(
        np.mean(
            [
                pool_scores([score_image(truth, declump(planes, roles, settings)) for planes, truth in images]).mean_f1
                for images in predicted
            ]
        )
    )


def _predict(model: Model, row: IndexRow) -> Predicted:
    truth = read_labelled_image(row)
    return segment_image(truth.image, model).probabilities, truth.labels
