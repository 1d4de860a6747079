"""Choose the thresholds that turn a model's probabilities into objects, on validation images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cpunet.calibration.settings import BOUNDARY_THRESHOLDS, DILATIONS_PX, smallest_sizes
from cpunet.interruption import held_back, stop_if_requested
from cpunet.model.card import ModelCard, Postprocessing
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import ImageScores, pool_scores
from cpunet.segment import segment_image
from cpunet.steps.declump import needs_image
from cpunet.steps.prepare import prepare
from cpunet.steps.resize import resize_planes
from cpunet.training.data.labeled_images import IndexRow, LabeledImage, read_labeled_image
from cpunet.training.patches.sources import resize_labels
from cpunet.training.tuning.settings_scores import Predicted, SettingsScorer

Candidates = dict[str, tuple[float, ...]]

# A marker threshold below 0.25 may gain some thousandths of F1 on validation, since a marker then fills nearly all of
# its object and texture splits nothing; but clumps of a kind that was not trained on stay merged.
MASK_SETTINGS: Candidates = {
    "marker_threshold": (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6),
    "foreground_threshold": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
}
BOUNDARY_SETTINGS: Candidates = {
    "boundary_threshold": BOUNDARY_THRESHOLDS,
    "dilation_px": DILATIONS_PX,
}
# A plain mask says nothing of borders, so that only a high threshold parts objects that touch.
MASK_ALONE_SETTINGS: Candidates = {
    **MASK_SETTINGS,
    "marker_threshold": (*MASK_SETTINGS["marker_threshold"], 0.7, 0.8, 0.9, 0.95, 0.98, 0.99),
}
# Settings must serve other magnifications too. Tuned on images at their own size alone, nuclei_fluorescence dropped and
# merged so many nuclei of half-sized images that F1 at IoU 0.7 fell by 0.02 there, and gained nothing elsewhere.
OTHER_SIZE = 0.5
ROUNDS = 2


def candidates(roles: Sequence[str], diameter_px: float) -> Candidates:
    """Return the values to try for each setting of a model with these roles and this trained diameter."""
    markers, objects = smallest_sizes(diameter_px)
    if set(roles) == {"boundary"}:
        return {**BOUNDARY_SETTINGS, "min_size_px": objects}
    masks = MASK_ALONE_SETTINGS if set(roles) == {"foreground"} else MASK_SETTINGS
    return {**masks, "marker_min_size_px": markers, "min_size_px": objects}


def tune_postprocessing(
    model: Model, sets: Sequence[Sequence[IndexRow]], diameters: Sequence[float | None]
) -> Postprocessing:
    """Find the settings with the best mean F1 on validation images.

    Parameters
    ----------
    model : Model
    sets : sequence of sequence of IndexRow
        Validation images by data set. Each set counts the same, however many objects it holds, so that
        one choice serves all.
    diameters : sequence of float or None
        The typical diameter in each set, as a user would give it; None leaves it to be measured on each image.

    Notes
    -----
    Each image is predicted once, and once more at half its size, unless its diameter is given. The settings are then
    searched one after the other, twice round, each over its candidates with the others held, from those of the card on.
    """
    images = [[read_labeled_image(row) for row in rows] for rows in sets]
    views = [[(image, diameter) for image in found] for found, diameter in zip(images, diameters, strict=True)]
    views += [
        [(resized(image, OTHER_SIZE), None) for image in found]
        for found, diameter in zip(images, diameters, strict=True)
        if diameter is None
    ]
    return tune_on_predicted(_predict_all(model, views), model.card)


def tune_on_predicted(predicted: Sequence[Sequence[Predicted]], card: ModelCard) -> Postprocessing:
    """Find the settings with the best mean F1 on images that were predicted already, by set; see `tune_postprocessing`.

    `card` gives the roles, the trained diameter, and the settings to begin with.
    """
    roles = card.output.roles
    tried = candidates(roles, card.input.diameter_px)
    # A pool of processes, too, cannot bear an exception between any two of its lines.
    with held_back(), SettingsScorer(predicted, roles) as scorer:
        return search_with_progress(tried, card.postprocessing, lambda trial: mean_f1_of_sets(scorer(trial)))


def search_with_progress(
    tried: Candidates, start: Postprocessing, quality: Callable[[Postprocessing], float]
) -> Postprocessing:
    """Search the settings as `search` does, and show how far this is."""
    progress = Progress("tuning: trial", ROUNDS * sum(map(len, tried.values())))
    trials = 0

    def show_trial(name: str) -> None:
        nonlocal trials
        trials += 1
        progress.show(trials, name)

    best = search(tried, start, quality, show_trial)
    progress.end()
    return best


def search(
    tried: Candidates,
    start: Postprocessing,
    quality: Callable[[Postprocessing], float],
    on_trial: Callable[[str], None] = lambda name: None,
) -> Postprocessing:
    """Search the settings one after the other, twice round, each over its candidates with the others held.

    Parameters
    ----------
    tried : dict of str to tuple of float
        Values by the name of a setting.
    start : Postprocessing
        To begin with. Of equals, what was the best before stays.
    quality : callable
        Returns how good settings are; higher is better.
    on_trial : callable, optional
        Called with the setting's name after each candidate.
    """
    best = start
    for _ in range(ROUNDS):
        for name, values in tried.items():
            found = {best: quality(best)}
            for value in values:
                stop_if_requested()
                trial = replace(best, **{name: value})
                if trial not in found:
                    found[trial] = quality(trial)
                on_trial(name)
            best = max(found, key=lambda trial: found[trial])
    return best


def mean_f1_of_sets(scores: Sequence[Sequence[ImageScores]]) -> float:
    """Return the mean over the sets of their mean F1, 0..1."""
    return float(np.mean([pool_scores(of_set).mean_f1 for of_set in scores]))


def resized(truth: LabeledImage, factor: float) -> LabeledImage:
    """Return a labeled image as another magnification would show it; `factor` below 1 shrinks.

    The image becomes float32, interpolated linearly and smoothed first if it shrinks; labels are of the nearest pixel.
    """
    shape = tuple(max(1, round(size * factor)) for size in truth.labels.shape)
    planes = truth.image[np.newaxis] if truth.image.ndim == 2 else np.moveaxis(truth.image, -1, 0)
    smaller = resize_planes(planes.astype(np.float32), shape)
    image = smaller[0] if truth.image.ndim == 2 else np.moveaxis(smaller, 0, -1)
    return LabeledImage(truth.id, image, resize_labels(truth.labels, shape))


def _predict_all(model: Model, views: Sequence[Sequence[tuple[LabeledImage, float | None]]]) -> list[list[Predicted]]:
    """Predict images, each with its diameter or None, and say how far this is."""
    progress, done = Progress("looking at images: image", sum(map(len, views))), 0
    predicted = []
    for of_set in views:
        predicted.append([])
        for truth, diameter_px in of_set:
            stop_if_requested()
            predicted[-1].append(predict_image(model, truth, diameter_px))
            done += 1
            progress.show(done)
    progress.end()
    return predicted


def predict_image(model: Model, truth: LabeledImage, diameter_px: float | None) -> Predicted:
    """Predict one image, at the scale that the module would choose."""
    found = segment_image(truth.image, model, Options(diameter_px=diameter_px))
    return Predicted(found.probabilities, truth.labels, found.scale, image_to_decode(truth.image, model.card))


def image_to_decode(image: NDArray[np.generic], card: ModelCard) -> NDArray[np.float32] | None:
    """Return the prepared image (C, Y, X) if probabilities are decoded with its help, and None otherwise."""
    needs = needs_image(card.output.roles, Options().declump_method)
    return prepare(image, card.input).channels if needs else None
