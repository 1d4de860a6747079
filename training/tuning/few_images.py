"""Choose thresholds on a few labeled images: on all of them, and judged on those that were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cpunet.interruption import held_back
from cpunet.model.card import Postprocessing
from cpunet.model.protocol import Model
from cpunet.scores import ImageScores, pool_scores
from cpunet.training.data.labeled_images import IndexRow, LabeledImage, read_labeled_image
from cpunet.training.tuning.search import (
    OTHER_SIZE,
    Candidates,
    candidates,
    mean_f1_of_sets,
    predict_image,
    resized,
    search,
)
from cpunet.training.tuning.settings_scores import SettingsScorer

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
    tried, start = candidates(model.card.output.roles, model.card.input.diameter_px), model.card.postprocessing
    sizes = len(predicted) // len(images)
    everything = range(len(images))
    parts = [[number for number in everything if number % FOLDS == fold] for fold in range(min(FOLDS, len(images)))]
    left_out: list[ImageScores] = []
    with held_back(), SettingsScorer([predicted], model.card.output.roles) as scorer:

        def scores(chosen: Sequence[int], settings: Postprocessing) -> list[ImageScores]:
            (known,) = scorer(settings)
            return [known[number] for number in chosen]

        def best_on(chosen: Sequence[int]) -> Postprocessing:
            at_each_size = [[number + size * len(images) for number in chosen] for size in range(sizes)]
            return search(tried, start, lambda trial: mean_f1_of_sets([scores(group, trial) for group in at_each_size]))

        for part in parts:
            left_out += scores(part, best_on([number for number in everything if number not in part]))
        best = best_on(everything)
        with_own = pool_scores(scores(everything, start)).mean_f1
    with_found = pool_scores(left_out).mean_f1
    kept = with_found <= with_own
    return TunedOnFew(start if kept else best, kept, len(rows), with_found, with_own)


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
