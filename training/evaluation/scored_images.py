"""Images as each method segmented them, with their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cpunet.outcomes import OutcomeCounts, count_outcomes, pool_counts
from cpunet.overlap_scores import OverlapCounts, OverlapScores, count_overlap, pool_overlap
from cpunet.scores import ImageScores, SetScores, judged, overlap, pool_scores, score_image
from cpunet.training.data.labeled_images import IndexRow, Key
from cpunet.training.evaluation.object_scores import (
    CLUMP_SIZE,
    ECCENTRICITY,
    Binning,
    BinRecall,
    TrueObjects,
    area_binning,
    recall_by_bin,
)

NO_MODALITY = "(none given)"


@dataclass(frozen=True)
class ScoredImage:
    """One image as one method segmented it.

    Attributes
    ----------
    row : IndexRow
    scores : ImageScores
    objects : TrueObjects
    best_iou : ndarray of shape (T,), float64
        Of each true object, the highest IoU with any predicted one, 0..1.
    counts : OutcomeCounts
    overlap : OverlapCounts
    """

    row: IndexRow
    scores: ImageScores
    objects: TrueObjects
    best_iou: NDArray[np.float64]
    counts: OutcomeCounts
    overlap: OverlapCounts

    @cached_property
    def pooled(self) -> SetScores:
        """The scores of a set of this image alone."""
        return pool_scores([self.scores])

    @property
    def wrong(self) -> int:
        """True and predicted objects without a partner at an IoU above 0.7."""
        return self.scores.truth_count + self.scores.prediction_count - 2 * self.counts.kept


@dataclass(frozen=True)
class ScoredMethod:
    """All images as one method segmented them.

    Attributes
    ----------
    name : str
    source : str
        The model's file, or the folder of label images.
    labels : callable
        Reads the labels of an image again, given its row.
    images : tuple of ScoredImage
    """

    name: str
    source: str
    labels: Callable[[IndexRow], NDArray[np.integer]]
    images: tuple[ScoredImage, ...]

    @cached_property
    def pooled(self) -> SetScores:
        """The scores of all images."""
        return pool_scores([image.scores for image in self.images])

    @cached_property
    def counts(self) -> OutcomeCounts:
        """What became of the objects of all images."""
        return pool_counts([image.counts for image in self.images])

    @cached_property
    def overlap(self) -> OverlapScores:
        """The scores of all images by any overlap, for labels that are not exact."""
        return pool_overlap([image.overlap for image in self.images])

    def recall(self, binning: Binning) -> list[BinRecall]:
        """Return the recall of each bin that holds a true object."""
        values = np.concatenate([getattr(image.objects, binning.fact) for image in self.images])
        return recall_by_bin(values, np.concatenate([image.best_iou for image in self.images]), binning)


@dataclass(frozen=True)
class Evaluation:
    """All that a report tells.

    Attributes
    ----------
    split : str
    diameter_px : float, optional
        Typical diameter that the model was given.
    methods : tuple of ScoredMethod
        The first is the one whose worst images are shown. All have the same images, one at least.
    failed : dict of tuple to str
        Why an image was left out, by `IndexRow.key`.
    noisy_labels : bool
        Whether the labels are not exact, so that the scores by any overlap are told as well.
    """

    split: str
    diameter_px: float | None
    methods: tuple[ScoredMethod, ...]
    failed: dict[Key, str]
    noisy_labels: bool = False

    def binnings(self) -> tuple[Binning, Binning, Binning]:
        """Return the bins of area, eccentricity and clump size, the same for all methods and groups of images."""
        objects = [image.objects for image in self.methods[0].images]
        return area_binning(np.concatenate([each.area_px for each in objects])), ECCENTRICITY, CLUMP_SIZE


def score_labels(
    row: IndexRow, truth: NDArray[np.integer], objects: TrueObjects, prediction: NDArray[np.integer]
) -> ScoredImage:
    """Compare the labels (Y, X) that a method predicted for an image with the truth; ValueError if shapes differ."""
    scores, by_overlap = score_image(truth, prediction), count_overlap(truth, prediction)
    truth, prediction = judged(truth, prediction)  # once for all that follows
    best_iou = overlap(truth, prediction).iou.max(axis=1, initial=0.0)
    return ScoredImage(row, scores, objects, best_iou, count_outcomes(truth, prediction), by_overlap)


def by_data_set(method: ScoredMethod) -> dict[str, ScoredMethod]:
    """Split a method's images by their data set, in alphabetical order."""
    return _grouped(method, lambda image: image.row.folder.name)


def by_modality(method: ScoredMethod) -> dict[str, ScoredMethod]:
    """Split a method's images by their modality, in alphabetical order."""
    return _grouped(method, lambda image: image.row.modality or NO_MODALITY)


def worst_images(method: ScoredMethod, number: int) -> list[ScoredImage]:
    """Return at most `number` images with the lowest mean F1, worst first; perfect ones are left out.

    Of equals the one with more wrong objects comes first.
    """
    flawed = [image for image in method.images if image.pooled.mean_f1 < 1]
    return sorted(flawed, key=lambda image: (image.pooled.mean_f1, -image.wrong, image.row.key))[:number]


def best_images(method: ScoredMethod, number: int) -> list[ScoredImage]:
    """Return at most `number` images with a true object and the highest mean F1, best first."""
    full = [image for image in method.images if image.scores.truth_count]
    return sorted(full, key=lambda image: (-image.pooled.mean_f1, image.row.key))[:number]


def _grouped(method: ScoredMethod, name: Callable[[ScoredImage], str]) -> dict[str, ScoredMethod]:
    names = sorted({name(image) for image in method.images})
    return {
        each: replace(method, images=tuple(image for image in method.images if name(image) == each)) for each in names
    }
