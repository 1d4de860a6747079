"""Choose thresholds on a few labeled images: on all of them, and judged on those that were left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cpunet.model.card import Postprocessing
from cpunet.model.protocol import Model
from cpunet.scores import ImageScores, pool_scores
from cpunet.training.data.labeled_images import IndexRow, LabeledImage, read_labeled_image
from cpunet.training.tuning.search import OTHER_SIZE, ROUNDS, Candidates, candidates, predict_image, resized
from cpunet.training.tuning.settings_scores import Predicted, score_settings

# With more validation images than this, they alone decide.
FEW_VALIDATION_IMAGES = 8
# More training images than this would cost more time than they tell.
MOST_IMAGES = 20
FOLDS, LEAST_PARTS = 6, 4


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


class KnownScores:
    """The scores of images by the settings that were tried; each is computed once."""

    def __init__(self, images: Sequence[Predicted], roles: Sequence[str]) -> None:
        self._images, self._roles = images, roles
        self._known: dict[tuple[int, Postprocessing], ImageScores] = {}

    def of(self, number: int, settings: Postprocessing) -> ImageScores:
        """Score image `number`, decoded with some settings."""
        key = (number, settings)
        if key not in self._known:
            self._known[key] = score_settings(self._images[number], self._roles, settings)
        return self._known[key]


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
    """
    images = [read_labeled_image(row) for row in rows]
    if len(images) < LEAST_PARTS:
        images = [quarter for image in images for quarter in quarters(image)]
    predicted = [predict_image(model, image, diameter_px) for image in images]
    if diameter_px is None:
        predicted += [predict_image(model, resized(image, OTHER_SIZE), None) for image in images]
    scores = KnownScores(predicted, model.card.output.roles)
    tried, start = candidates(model.card.output.roles, model.card.input.diameter_px), model.card.postprocessing
    sizes = len(predicted) // len(images)

    def at_all_sizes(chosen: Sequence[int]) -> list[list[int]]:
        return [[number + size * len(images) for number in chosen] for size in range(sizes)]

    everything = range(len(images))
    parts = [[number for number in everything if number % FOLDS == fold] for fold in range(min(FOLDS, len(images)))]
    left_out: list[ImageScores] = []
    for part in parts:
        others = at_all_sizes([number for number in everything if number not in part])
        found = search(tried, start, lambda trial, others=others: mean_f1(scores, others, trial))  # type: ignore[misc]
        left_out += [scores.of(number, found) for number in part]
    best = search(tried, start, lambda trial: mean_f1(scores, at_all_sizes(everything), trial))
    with_found = pool_scores(left_out).mean_f1
    with_own = pool_scores([scores.of(number, start) for number in everything]).mean_f1
    kept = with_found <= with_own
    return TunedOnFew(start if kept else best, kept, len(rows), with_found, with_own)


def quarters(image: LabeledImage) -> list[LabeledImage]:
    """Cut an image and its labels into four parts of about the same size."""
    middle, center = (size // 2 for size in image.labels.shape)
    windows = [(y, x) for y in (slice(middle), slice(middle, None)) for x in (slice(center), slice(center, None))]
    return [LabeledImage(image.id, image.image[window], image.labels[window]) for window in windows]


def mean_f1(scores: KnownScores, groups: Sequence[Sequence[int]], settings: Postprocessing) -> float:
    """Return the mean over groups of images of their mean F1, 0..1."""
    return float(np.mean([pool_scores([scores.of(each, settings) for each in group]).mean_f1 for group in groups]))


def search(tried: Candidates, start: Postprocessing, quality: Callable[[Postprocessing], float]) -> Postprocessing:
    """Search the settings one after the other, twice round, each over its candidates with the others held."""
    best = start
    for _ in range(ROUNDS):
        for name, values in tried.items():
            best = max((replace(best, **{name: value}) for value in (getattr(best, name), *values)), key=quality)
    return best


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
