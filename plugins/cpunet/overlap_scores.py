"""Scores for labels that are not exact: of pixels, and of objects that count if any of their pixels is hit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from cpunet.scores import SHARE_INSIDE, Labels, judged, overlap, ratio


@dataclass(frozen=True)
class OverlapCounts:
    """What one image adds to the scores of a set.

    Attributes
    ----------
    pixels : int
        Pixels that were judged.
    pixels_truth, pixels_prediction, pixels_both : int
        Of these, pixels of true objects, of predicted ones, and of both.
    truth_count, prediction_count : int
        Objects.
    truth_hit, prediction_hit : int
        True objects of which any pixel lies in a predicted one, and predicted objects of which any lies in a true one.
    merging : int
        Predicted objects that each hold more than half of two or more true ones.
    merged : int
        True objects in these.
    """

    pixels: int
    pixels_truth: int
    pixels_prediction: int
    pixels_both: int
    truth_count: int
    prediction_count: int
    truth_hit: int
    prediction_hit: int
    merging: int
    merged: int


@dataclass(frozen=True)
class OverlapScores:
    """Scores of a set of images, pooled over all their pixels and objects.

    Attributes
    ----------
    pixel_precision, pixel_recall, pixel_accuracy : float
        TP / (TP + FP), TP / (TP + FN) and (TP + TN) / all, of the foreground's pixels, 0..1.
    dice, iou : float
        Of the foreground's pixels, 0..1.
    object_precision, object_recall : float
        Share of the predicted objects that hit a true one, and of the true objects that are hit, 0..1.
    object_f1 : float
        Harmonic mean of both.
    merging, merged : int
        See `OverlapCounts`. The scores of objects do not see them.
    """

    pixel_precision: float
    pixel_recall: float
    pixel_accuracy: float
    dice: float
    iou: float
    object_precision: float
    object_recall: float
    object_f1: float
    merging: int
    merged: int


def count_overlap(truth: Labels, prediction: Labels) -> OverlapCounts:
    """Compare a label image with a truth whose outlines are not exact.

    Parameters
    ----------
    truth, prediction : ndarray of shape (Y, X), integer
        0 is background. Where the truth is `cpunet.scores.IGNORED`, nothing counts: see `cpunet.scores.judged`.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    A label made from a stain may be shifted, too large or too small, so that the IoU with a right object is low. Any
    overlap then tells whether the object was found. One predicted object over several true ones finds all of them,
    however, so `merging` and `merged` belong beside these scores.

    Examples
    --------
    >>> import numpy as np
    >>> found = count_overlap(np.array([[1, 1, 0, 2, 2, 0, 3]]), np.array([[1, 1, 1, 1, 1, 0, 0]]))
    >>> found.truth_hit, found.prediction_hit, found.merging, found.merged
    (2, 1, 1, 2)
    """
    pixels = truth.size - int(np.count_nonzero(truth < 0))
    if truth.shape == prediction.shape:
        truth, prediction = judged(truth, prediction)
    shared = overlap(truth, prediction)  # raises where the shapes differ
    hit = shared.intersection > 0
    inside = shared.intersection > SHARE_INSIDE * shared.truth_area[:, np.newaxis]
    merging = inside.sum(axis=0) > 1
    return OverlapCounts(
        pixels=pixels,
        pixels_truth=int(shared.truth_area.sum()),
        pixels_prediction=int(shared.prediction_area.sum()),
        pixels_both=int(shared.intersection.sum()),
        truth_count=len(shared.truth_area),
        prediction_count=len(shared.prediction_area),
        truth_hit=int(np.count_nonzero(hit.any(axis=1))),
        prediction_hit=int(np.count_nonzero(hit.any(axis=0))),
        merging=int(np.count_nonzero(merging)),
        merged=int(np.count_nonzero(inside[:, merging].any(axis=1))),
    )


def pool_overlap(images: Sequence[OverlapCounts]) -> OverlapScores:
    """Pool the counts of many images, at least one (else ValueError)."""
    if not images:
        raise ValueError("There are no images to score.")

    def total(name: str) -> int:
        return sum(getattr(image, name) for image in images)

    both, truth, prediction = total("pixels_both"), total("pixels_truth"), total("pixels_prediction")
    wrong = truth + prediction - 2 * both
    precision = ratio(total("prediction_hit"), total("prediction_count"))
    recall = ratio(total("truth_hit"), total("truth_count"))
    return OverlapScores(
        pixel_precision=ratio(both, prediction),
        pixel_recall=ratio(both, truth),
        pixel_accuracy=ratio(total("pixels") - wrong, total("pixels")),
        dice=ratio(2 * both, truth + prediction),
        iou=ratio(both, truth + prediction - both),
        object_precision=precision,
        object_recall=recall,
        object_f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        merging=total("merging"),
        merged=total("merged"),
    )
