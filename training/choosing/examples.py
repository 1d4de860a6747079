"""Segment labeled images with several models, and measure each object and how well it fits a true one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpunet.choice.features import FoundByModel, agreement, feature_names, features_of_candidates
from cpunet.choice.model_choice import foreground_of
from cpunet.errors import DataError, ModelError
from cpunet.interruption import stop_if_requested
from cpunet.model.ensemble import average_models
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import SHARE_INSIDE, ImageScores, score_image
from cpunet.segment import segment_image
from cpunet.terminal import report
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image

LARGEST_UINT16 = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class CandidatesOfImage:
    """What several models found in one labeled image.

    Attributes
    ----------
    row : IndexRow
    truth : ndarray of shape (Y, X), int32
        `cpunet.scores.IGNORED` where nobody judged.
    labels : tuple of ndarray of shape (Y, X)
        One a model, of the smallest type.
    features : ndarray of shape (n, F), float32
        See `cpunet.choice.features.features_of_candidates`.
    iou : ndarray of shape (n,), float64
        The largest IoU of each candidate with a true object, 0..1; NaN for one that lies mostly where nobody judged.
    scores : tuple of ImageScores
        Of each model alone.
    of_average : ImageScores or None
        Of the models averaged; None if they cannot be.
    """

    row: IndexRow
    truth: NDArray[np.int32]
    labels: tuple[NDArray[np.integer], ...]
    features: NDArray[np.float32]
    iou: NDArray[np.float64]
    scores: tuple[ImageScores, ...]
    of_average: ImageScores | None


@dataclass(frozen=True)
class Candidates:
    """What several models found in all images.

    Attributes
    ----------
    images : tuple of CandidatesOfImage
    failed : dict of str to str
        Why an image was left out.
    not_averaged : str
        Why the models cannot be averaged; empty if they can.
    """

    images: tuple[CandidatesOfImage, ...]
    failed: dict[str, str]
    not_averaged: str


def candidates_of(
    models: Sequence[Model], rows: Sequence[IndexRow], options: Options, average: bool = True
) -> Candidates:
    """Segment images with each model, and with their average for comparison where they can be averaged.

    Parameters
    ----------
    models : sequence of Model
    rows : sequence of IndexRow
        Images on which no model was trained.
    options : Options
    average : bool
        Whether the average is wanted at all.

    Raises
    ------
    DataError
        If no image could be segmented.
    """
    mean, why = _mean_of(models) if average else (None, "it was not asked for")
    images: list[CandidatesOfImage] = []
    failed: dict[str, str] = {}
    progress = Progress("segmenting with each model: image", len(rows))
    for done, row in enumerate(rows):
        progress.show(done, row.id)
        try:
            images.append(_of_image(models, mean, row, options))
        except Exception as error:  # one bad image must not stop the others
            stop_if_requested()
            name = "/".join(row.key)
            failed[name] = str(error) or type(error).__name__
            report(f"FAILED {name}: {failed[name]}", sys.stderr)
    progress.end()
    if not images:
        raise DataError("no image could be segmented, so there is nothing to learn from.")
    return Candidates(tuple(images), failed, why)


def _mean_of(models: Sequence[Model]) -> tuple[Model | None, str]:
    try:
        return average_models(models), ""
    except ModelError as error:
        return None, str(error)


def _of_image(models: Sequence[Model], mean: Model | None, row: IndexRow, options: Options) -> CandidatesOfImage:
    read = read_labeled_image(row)
    found = []
    for model in models:
        segmented = segment_image(read.image, model, options)
        found.append(FoundByModel(segmented.labels, foreground_of(segmented, model.card), segmented.confidence))
    averaged = None if mean is None else segment_image(read.image, mean, options).labels
    return CandidatesOfImage(
        row,
        read.labels,
        tuple(_small(each.labels) for each in found),
        features_of_candidates(found),
        np.concatenate([iou_with_truth(read.labels, each.labels) for each in found]),
        tuple(score_image(read.labels, each.labels) for each in found),
        None if averaged is None else score_image(read.labels, averaged),
    )


def _small(labels: NDArray[np.int32]) -> NDArray[np.integer]:
    return labels.astype(np.uint16) if labels.max(initial=0) <= LARGEST_UINT16 else labels


def iou_with_truth(truth: NDArray[np.int32], labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the largest IoU of each object 1..n with a true one; NaN where most of it lies in ignored pixels."""
    ignored = truth < 0
    judged = np.where(ignored, 0, labels)
    areas = np.bincount(labels.reshape(-1), minlength=1)[1:]
    unseen = np.bincount(labels[ignored], minlength=len(areas) + 1)[1:] > SHARE_INSIDE * areas
    iou = agreement(judged, np.maximum(truth, 0), len(areas))[:, 0]
    return np.where(unseen, np.nan, iou)


def table_of(images: Sequence[CandidatesOfImage]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the features and the IoU of all candidates that were judged."""
    width = len(feature_names(len(images[0].labels))) if images else 0
    features = np.concatenate([np.zeros((0, width), np.float32), *(image.features for image in images)])
    iou = np.concatenate([np.zeros(0), *(image.iou for image in images)])
    judged = np.isfinite(iou)
    return features[judged], iou[judged]
