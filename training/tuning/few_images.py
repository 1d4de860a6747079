"""Choose thresholds on a few labeled images: on all of them, and judged on those that were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cpunet.interruption import held_back
from cpunet.model.card import ModelCard, Postprocessing
from cpunet.model.protocol import Model
from cpunet.model.with_card import ModelWithCard
from cpunet.scores import ImageScores, SetScores, pool_scores
from cpunet.training.data.labeled_images import IndexRow, LabeledImage, read_labeled_image
from cpunet.training.tuning.search import (
    OTHER_SIZE,
    Candidates,
    candidates,
    predict_image,
    resized,
    search,
)
from cpunet.training.tuning.settings_scores import Predicted, SettingsScorer

# With more validation images than this, they alone decide.
FEW_VALIDATION_IMAGES = 8
# More training images than this would cost more time than they tell.
MOST_IMAGES = 20
FOLDS, LEAST_PARTS = 6, 4
# On few images the mean F1 of two settings often differs by chance alone. The settings that also count better were as
# good on other images, and counted better there.
COUNT_SHARE = 0.25


@dataclass(frozen=True)
class TunedOnFew:
    """What a search on a few images found.

    Attributes
    ----------
    settings : Postprocessing
        Those that were found, or those of the card if the found ones are not better on images that were left out.
    kept : bool
        Whether they are those of the card.
    images : int
    left_out, card_left_out : float
        Mean F1 of the images that were left out of the search, 0..1: with what was found on the others, and with the
        settings of the card.
    """

    settings: Postprocessing
    kept: bool
    images: int
    left_out: float
    card_left_out: float

    def __str__(self) -> str:
        """Two facts for the terminal."""
        found = (
            f"thresholds found on {self.images} images, scored on parts left out: mean F1 {self.left_out:.3f} instead "
            f"of {self.card_left_out:.3f}"
        )
        return f"{found}; the usual ones are kept" if self.kept else found


def tune_on_few(model: Model, rows: Sequence[IndexRow], diameter_px: float | None) -> TunedOnFew:
    """Find the settings with the best mean F1 on all labeled images, if they hold on images that were left out.

    Parameters
    ----------
    model : Model
    rows : sequence of IndexRow
        Images that the model was trained on, and the validation images. Fewer than four are cut into quarters.
    diameter_px : float or None
        Typical diameter in the images, as a user would give it; None leaves it to be measured on each image.

    Notes
    -----
    Cross-validation (Kohavi 1995, IJCAI 14, 1137): the images are dealt into at most 6 parts; what is best on the other
    parts is scored on each. One validation image decides by chance; all images together are seen by the network, but
    not by these settings. Unless a diameter is given, each image counts at its own size and at half of it.

    The best settings are those with the highest `quality`. Where the diameter is measured, it is measured on objects
    that the settings draw. So the images are looked at once more with the settings that were found, and the search is
    repeated; its result is taken if it scores better on the images that were left out.
    """
    images = [read_labeled_image(row) for row in rows]
    if len(images) < LEAST_PARTS:
        images = [quarter for image in images for quarter in quarters(image)]
    start = model.card.postprocessing
    predicted = _predicted(model, images, diameter_px)
    first = _search(predicted, len(images), model.card, start)
    found = first
    if diameter_px is None and first.settings != start:
        found_so_far = ModelWithCard(model, replace(model.card, postprocessing=first.settings))
        again = _predicted(found_so_far, images, diameter_px)
        if [each.scale for each in again] != [each.scale for each in predicted]:
            second = _search(again, len(images), model.card, first.settings)
            found = max(first, second, key=lambda each: quality(each.left_out))
    kept = quality(found.left_out) <= quality(first.with_start)
    return TunedOnFew(
        start if kept else found.settings, kept, len(rows), found.left_out.mean_f1, first.with_start.mean_f1
    )


def quality(scores: SetScores) -> float:
    """Return the mean F1 less a quarter of the error of the count, as a part of the true objects; 1 is the best."""
    return scores.mean_f1 - COUNT_SHARE * scores.count_error * scores.images / max(scores.truth_count, 1)


class _Found(NamedTuple):
    """What a search found: settings, and the scores of the images with those of the others, and with the first ones."""

    settings: Postprocessing
    left_out: SetScores
    with_start: SetScores


def _search(predicted: Sequence[Predicted], images: int, card: ModelCard, start: Postprocessing) -> _Found:
    """Search on images as a model sees them, at one size or more; the first size is scored."""
    tried = candidates(card.output.roles, card.input.diameter_px)
    everything = range(images)
    parts = [[number for number in everything if number % FOLDS == fold] for fold in range(min(FOLDS, images))]
    left_out: list[ImageScores] = []
    with held_back(), SettingsScorer([predicted], card.output.roles) as scorer:

        def scores(chosen: Sequence[int], settings: Postprocessing) -> list[ImageScores]:
            (known,) = scorer(settings)
            return [known[number] for number in chosen]

        def best_on(chosen: Sequence[int]) -> Postprocessing:
            sizes = [[number + before for number in chosen] for before in range(0, len(predicted), images)]

            def mean_quality(trial: Postprocessing) -> float:
                return float(np.mean([quality(pool_scores(scores(size, trial))) for size in sizes]))

            return search(tried, start, mean_quality)

        for part in parts:
            left_out += scores(part, best_on([number for number in everything if number not in part]))
        best = best_on(everything)
        with_start = scores(everything, start)
    return _Found(best, pool_scores(left_out), pool_scores(with_start))


def _predicted(model: Model, images: Sequence[LabeledImage], diameter_px: float | None) -> list[Predicted]:
    """Look at images, and at half of their size too where the diameter is measured: all images, then all halves."""
    predicted = [predict_image(model, image, diameter_px) for image in images]
    if diameter_px is None:
        predicted += [predict_image(model, resized(image, OTHER_SIZE), None) for image in images]
    return predicted


def quarters(image: LabeledImage) -> list[LabeledImage]:
    """Cut an image and its labels into four parts of about the same size."""
    middle, center = (size // 2 for size in image.labels.shape)
    windows = [(y, x) for y in (slice(middle), slice(middle, None)) for x in (slice(center), slice(center, None))]
    return [LabeledImage(image.id, image.image[window], image.labels[window]) for window in windows]


def at_the_edge(settings: Postprocessing, tried: Candidates) -> list[str]:
    """Say which thresholds are the lowest or the highest of those that were tried: a better one may lie beyond."""
    sentences = []
    for name, values in tried.items():
        value = getattr(settings, name)
        if name.endswith("_threshold") and value in (min(values), max(values)):
            end = "lowest" if value == min(values) else "highest"
            sentences.append(
                f"{name} {value:g} is the {end} that is tried: the network may not be trained enough, or labels be "
                "drawn in another way than its own. Look at the outlines before you trust it."
            )
    return sentences
