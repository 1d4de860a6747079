"""Learn to choose on labeled images, and measure on images that were held out what choosing gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpunet.calibration.calibrate import interval_of_gain
from cpunet.choice.card import LEAST_PREDICTED_IOU, MOST_SHARED
from cpunet.choice.choose import choose_candidates
from cpunet.errors import DataError
from cpunet.scores import ImageScores, SetScores, pool_scores, score_image
from cpunet.training.choosing.examples import Candidates, CandidatesOfImage, table_of
from cpunet.training.choosing.regressor import fitted, predicted

FOLDS = 5
# Trees of fewer candidates would repeat them by heart.
LEAST_CANDIDATES = 50


@dataclass(frozen=True)
class Gain:
    """By how much the mean F1 of what was held out rises against another method.

    Attributes
    ----------
    over : str
        The other method.
    mean_f1 : float
    low, high : float
        In 90 of 100 draws of the images, with replacement, it lies between them.
    """

    over: str
    mean_f1: float
    low: float
    high: float


@dataclass(frozen=True)
class Learned:
    """Trees that choose, and what a choice gains on images that they did not see.

    Attributes
    ----------
    regressor : HistGradientBoostingRegressor
        Learned on all images.
    features : ndarray of shape (n, F), float32
        Of the candidates that it was learned on.
    names : tuple of str
        Of the models, in order.
    images : tuple of CandidatesOfImage
    single : tuple of tuple of ImageScores
        Of each model alone.
    average : tuple of ImageScores or None
        None if the models cannot be averaged.
    choice : tuple of ImageScores
        Of each image, chosen by trees that were learned without it.
    correlation : float
        Of the predicted and the true IoU of candidates that were held out, -1..1; NaN if either does not vary.
    """

    regressor: Any
    features: NDArray[np.float32]
    names: tuple[str, ...]
    images: tuple[CandidatesOfImage, ...]
    single: tuple[tuple[ImageScores, ...], ...]
    average: tuple[ImageScores, ...] | None
    choice: tuple[ImageScores, ...]
    correlation: float

    def pooled(self) -> dict[str, SetScores]:
        """Return the scores of each model, of their average if there is one, and of the choice, by name."""
        scores = {name: pool_scores(each) for name, each in zip(self.names, self.single, strict=True)}
        if self.average is not None:
            scores["average"] = pool_scores(self.average)
        return {**scores, "choice": pool_scores(self.choice)}

    @property
    def best(self) -> int:
        """The number of the model with the highest mean F1."""
        return int(np.argmax([pool_scores(each).mean_f1 for each in self.single]))

    @property
    def gain(self) -> Gain:
        """The gain over the best single model."""
        return gain_over(self.names[self.best], self.single[self.best], self.choice)

    @property
    def gain_over_average(self) -> Gain | None:
        """The gain over the average; None if there is none."""
        return None if self.average is None else gain_over("the average", self.average, self.choice)


def gain_over(name: str, before: Sequence[ImageScores], after: Sequence[ImageScores]) -> Gain:
    """Return what one method gains over another on the same images."""
    low, high = interval_of_gain(before, after)
    return Gain(name, pool_scores(after).mean_f1 - pool_scores(before).mean_f1, low, high)


def learn(candidates: Candidates, names: Sequence[str]) -> Learned:
    """Learn to choose, and cross-validate it over images.

    Parameters
    ----------
    candidates : Candidates
        Of images on which no model was trained.
    names : sequence of str
        Of the models, in order.

    Raises
    ------
    DataError
        If there are too few candidates, or images, or no candidate overlaps a true object.

    Notes
    -----
    1. The images are dealt into up to five folds; those of one group (`IndexRow.group`) come into the same fold.
    2. For each fold, trees are learned on all other images and choose among the candidates of the fold.
    3. The scores of all folds are pooled. See `cpunet.calibration.calibrate.interval_of_gain` for the uncertainty.
    4. The trees that are kept are learned on all images.
    """
    images = candidates.images
    features, iou = table_of(images)
    if len(images) < 2 or len(iou) < LEAST_CANDIDATES:
        raise DataError(
            f"The models found {len(iou)} objects in {len(images)} images; {LEAST_CANDIDATES} in two images are the "
            "least that one can learn from. Label more images."
        )
    if not iou.any():  # the trees would learn to drop everything, which then scores best
        raise DataError(
            f"None of the {len(iou)} objects that the models found overlaps a labeled one, so that nothing can be "
            "learned. Look whether the labels are empty, or those of other images."
        )
    choice: list[ImageScores | None] = [None] * len(images)
    held_out: list[tuple[NDArray[np.float32], NDArray[np.float64]]] = []
    for fold in folds_of(images):
        regressor = fitted(*table_of([image for place, image in enumerate(images) if place not in fold]))
        for place in fold:
            chosen = predicted(regressor, images[place].features)
            choice[place] = score_of_choice(images[place], chosen)
            held_out.append((chosen, images[place].iou))
    of_average = [image.of_average for image in images if image.of_average is not None]
    return Learned(
        fitted(features, iou),
        features,
        tuple(names),
        images,
        tuple(tuple(image.scores[number] for image in images) for number in range(len(names))),
        tuple(of_average) if len(of_average) == len(images) else None,
        tuple(each for each in choice if each is not None),
        _correlation(held_out),
    )


def folds_of(images: Sequence[CandidatesOfImage]) -> list[list[int]]:
    """Deal the places of images into up to five folds, so that those of one group come into the same fold."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, image in enumerate(images):
        row = image.row
        groups.setdefault((row.folder.name, f"group {row.group}" if row.group else row.id), []).append(place)
    order = np.random.default_rng(0).permutation(len(groups))
    dealt = list(groups.values())
    count = min(FOLDS, len(groups))
    folds = [[place for number in order[first::count] for place in dealt[number]] for first in range(count)]
    if len(folds) < 2:
        raise DataError("All images are of one group, so none can be held out. Label images of another group.")
    return folds


def score_of_choice(image: CandidatesOfImage, predicted_iou: NDArray[np.float32]) -> ImageScores:
    """Choose among the candidates of an image, and score what was chosen."""
    labels = [each.astype(np.int32) for each in image.labels]
    chosen = choose_candidates(labels, predicted_iou, LEAST_PREDICTED_IOU, MOST_SHARED)
    return score_image(image.truth, chosen.labels)


def _correlation(held_out: Sequence[tuple[NDArray[np.float32], NDArray[np.float64]]]) -> float:
    predicted_iou, iou = (np.concatenate(each) for each in zip(*held_out, strict=True))
    judged = np.isfinite(iou)
    if min(np.ptp(predicted_iou[judged]), np.ptp(iou[judged])) == 0:
        return float("nan")
    return float(np.corrcoef(predicted_iou[judged], iou[judged])[0, 1])
