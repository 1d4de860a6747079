"""What became of each object: kept, of a wrong size, merged, cut, invented or missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cpunet.scores import judged, object_errors, overlap

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcomes:
    """The objects of an image by what became of them, each a label image (Y, X).

    Attributes
    ----------
    kept : ndarray
        Predicted objects that fit a true one, at an IoU above 0.7.
    wrong_size : ndarray
        Predicted objects that lie on one true object, and are too large, too small or shifted.
    merged : ndarray
        Predicted objects that cover two or more true ones.
    cut : ndarray
        Predicted pieces of a true object that holds two or more of them.
    invented : ndarray
        Predicted objects where there is no true one.
    missed : ndarray
        True objects where nothing was predicted.
    wanted : ndarray
        True objects that were found as a piece, in a clump or in a wrong size.
    """

    kept: NDArray[np.integer]
    wrong_size: NDArray[np.integer]
    merged: NDArray[np.integer]
    cut: NDArray[np.integer]
    invented: NDArray[np.integer]
    missed: NDArray[np.integer]
    wanted: NDArray[np.integer]

    @property
    def wrong(self) -> Bools:
        """The pixels of all objects that are wrong in some way."""
        names = ("wrong_size", "merged", "cut", "invented", "missed", "wanted")
        wrong: Bools = np.logical_or.reduce([getattr(self, name) != 0 for name in names])
        return wrong


@dataclass(frozen=True)
class OutcomeCounts:
    """How many objects of an image had which fate.

    Attributes
    ----------
    kept, wrong_size, merged, cut, missed : int
        True objects; they add up to all.
    invented : int
        Predicted objects.
    area_ratios : ndarray of shape (n,), float64
        Predicted over true area, of the true objects that were kept or found in a wrong size.
    """

    kept: int
    wrong_size: int
    merged: int
    cut: int
    missed: int
    invented: int
    area_ratios: NDArray[np.float64]


class _Sorted(NamedTuple):
    """Fates of T true and P predicted objects, each bool, and the area ratios."""

    kept: tuple[Bools, Bools]
    wrong_size: tuple[Bools, Bools]
    merged: tuple[Bools, Bools]
    cut: tuple[Bools, Bools]
    missed: Bools
    invented: Bools
    area_ratios: NDArray[np.float64]


def _sort(truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> _Sorted:
    shared = overlap(truth, prediction)
    iou = shared.iou
    errors = object_errors(shared, iou)
    wrong_truth, wrong_prediction = errors.wrong_truth, errors.wrong_prediction
    merging = wrong_prediction & (errors.inside_prediction.sum(axis=0) > 1)
    merged = wrong_truth & errors.under_segmented
    cut = wrong_truth & errors.over_segmented & ~merged
    pieces = wrong_prediction & ~merging & errors.inside_truth[cut].any(axis=0)
    left_truth, left_prediction = wrong_truth & ~merged & ~cut, wrong_prediction & ~merging & ~pieces
    meet = (errors.inside_truth | errors.inside_prediction) & left_truth[:, np.newaxis] & left_prediction
    sized = meet.any(axis=1), meet.any(axis=0)
    partner = np.where(meet | (iou > 0.7), shared.intersection, 0)
    paired = partner.any(axis=1) if partner.size else np.zeros(len(wrong_truth), bool)
    areas = shared.prediction_area[partner[paired].argmax(axis=1)] if paired.any() else np.zeros(0)
    return _Sorted(
        kept=(~wrong_truth, ~wrong_prediction),
        wrong_size=sized,
        merged=(merged, merging),
        cut=(cut, pieces),
        missed=left_truth & ~sized[0],
        invented=left_prediction & ~sized[1],
        area_ratios=areas / shared.truth_area[paired],
    )


def outcomes(truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> Outcomes:
    """Sort the true and the predicted objects (Y, X) by what became of them, at an IoU of 0.7."""
    truth, prediction = judged(truth, prediction)
    fates = _sort(truth, prediction)
    truth_ids, prediction_ids = (np.unique(labels[labels != 0]) for labels in (truth, prediction))

    def only(labels: NDArray[np.integer], ids: NDArray[np.integer], chosen: Bools) -> NDArray[np.integer]:
        return np.where(np.isin(labels, ids[chosen]), labels, 0)

    wanted = fates.wrong_size[0] | fates.merged[0] | fates.cut[0]
    return Outcomes(
        kept=only(prediction, prediction_ids, fates.kept[1]),
        wrong_size=only(prediction, prediction_ids, fates.wrong_size[1]),
        merged=only(prediction, prediction_ids, fates.merged[1]),
        cut=only(prediction, prediction_ids, fates.cut[1]),
        invented=only(prediction, prediction_ids, fates.invented),
        missed=only(truth, truth_ids, fates.missed),
        wanted=only(truth, truth_ids, wanted),
    )


def count_outcomes(truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> OutcomeCounts:
    """Count the fates of the objects of an image (Y, X), at an IoU of 0.7."""
    fates = _sort(*judged(truth, prediction))
    return OutcomeCounts(
        kept=int(fates.kept[0].sum()),
        wrong_size=int(fates.wrong_size[0].sum()),
        merged=int(fates.merged[0].sum()),
        cut=int(fates.cut[0].sum()),
        missed=int(fates.missed.sum()),
        invented=int(fates.invented.sum()),
        area_ratios=fates.area_ratios,
    )


def pool_counts(images: list[OutcomeCounts]) -> OutcomeCounts:
    """Add up the counts of images."""
    return OutcomeCounts(
        kept=sum(image.kept for image in images),
        wrong_size=sum(image.wrong_size for image in images),
        merged=sum(image.merged for image in images),
        cut=sum(image.cut for image in images),
        missed=sum(image.missed for image in images),
        invented=sum(image.invented for image in images),
        area_ratios=np.concatenate([image.area_ratios for image in images]),
    )
