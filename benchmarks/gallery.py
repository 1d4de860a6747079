"""Draw what each model finds in its validation images, typical ones and failures, beside the truth.

export PYTHONPATH=plugins
.venv/cellprofiler/bin/python -m benchmarks.gallery --data data --output docs/gallery
"""

import argparse
import csv
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.lines
import matplotlib.patheffects
import numpy as np
import PIL.Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage.measure import find_contours

from benchmarks.labelled_images import LabelledImage, labelled_images
from cpunet.image_files import grey_of_equal_colours, written_beside
from cpunet.matching import SHARE_INSIDE, overlap, pool_scores, score_image
from cpunet.model_card import ModelError
from cpunet.model_files import find_model
from cpunet.normalize import contrast_limits
from cpunet.overlay import grey_picture
from cpunet.segment import Model, segment_image
from cpunet.session import load_model

Window = Tuple[slice, slice]

# The sets, and the kinds of image in them, on which each model is shown.
SHOWN = {
    "nuclei_fluorescence": [("bbbc039", "fluorescence"), ("dsb2018", "fluorescence")],
    "nuclei_generalist": [("dsb2018", f"{kind}") for kind in ("fluorescence", "brightfield_grey", "brightfield_colour")],
    "phase_cells": [("phase_cells", "phase_contrast")],
}
TITLES = {"bbbc039": "BBBC039", "dsb2018": "DSB 2018", "phase_cells": "Usiigaci"}
# Okabe and Ito's orange and sky blue: told apart by the colour-blind, and seen on black, grey and pink alike.
TRUTH, PREDICTION = "#56B4E9", "#E69F00"
CROP_PX = 200
CELL_INCHES, CAPTION_INCHES, MARGIN_INCHES, DPI = 3.2, 0.62, 0.34, 100
MISTAKES = ("merged", "split", "missed", "false", "inexact")
LETTERS = {"merged": "M", "split": "S", "missed": "?", "false": "x", "inexact": ""}
# An inexact outline is seen less easily than an object too many or too few, and must not choose the window.
WEIGHTS = {"merged": 1.0, "split": 1.0, "missed": 1.0, "false": 1.0, "inexact": 0.2}
EXPLANATION = (
    "right: agrees at IoU 0.7; M merged with a neighbour; S split; ? missed; x false: nothing is there;\n"
    "inexact: found, with another outline. Counts are of true objects, or false ones, in the crop."
)


class Scored(NamedTuple):
    """A validation image with what the model found in it."""

    set: str
    kind: str
    truth: LabelledImage
    prediction: np.ndarray
    mean_f1: float
    f1: float


class Crop(NamedTuple):
    """A part of an image, and what the model made of each object there."""

    row: str
    scored: Scored
    window: Window
    counts: Dict[str, int]


def judge(truth: np.ndarray, prediction: np.ndarray) -> Tuple[Dict[int, str], Dict[int, str]]:
    """Say in a word what became of each object, by the rules of `cpunet.matching.score_image`.

    Parameters
    ----------
    truth, prediction : ndarray of shape (Y, X), integer
        0 is background; numbers may have gaps.

    Returns
    -------
    true_objects : dict of int to str
        By number: right, merged, split, missed (no predicted object of its own) or inexact.
    false_objects : dict of int to str
        The predicted objects that belong to no true one; each is false.
    """
    shared = overlap(truth, prediction)
    agrees = shared.iou > 0.7
    right, taken = agrees.any(axis=1), agrees.any(axis=0)
    inside_truth = shared.intersection > SHARE_INSIDE * shared.prediction_area
    inside_prediction = shared.intersection > SHARE_INSIDE * shared.truth_area[:, np.newaxis]
    merging = ~taken & (inside_prediction.sum(axis=0) > 1)
    # A link to an object that has its true partner already does not count as being found.
    linked = (inside_truth | inside_prediction) & ~right[:, np.newaxis] & ~taken
    words = np.where(linked.any(axis=1), "inexact", "missed")
    words[~right & (inside_truth.sum(axis=1) > 1)] = "split"
    words[inside_prediction[:, merging].any(axis=1)] = "merged"
    words[right] = "right"
    false = ~taken & ~linked.any(axis=0)
    true_objects = dict(zip(_numbers(truth).tolist(), words.tolist()))
    return true_objects, {number: "false" for number in _numbers(prediction)[false].tolist()}


def _numbers(labels: np.ndarray) -> np.ndarray:
    numbers = np.unique(labels)
    return numbers[numbers != 0]


def density(labels: np.ndarray, weights: Dict[int, float]) -> np.ndarray:
    """Spread each object's weight evenly over its pixels; an object without one counts nothing."""
    area = np.bincount(labels.ravel())
    by_number = np.zeros(len(area))
    for number, weight in weights.items():
        by_number[number] = weight / area[number]
    return by_number[labels]


def fullest_window(weights: np.ndarray, size: int = CROP_PX) -> Window:
    """Find the square that holds the largest sum; of equal ones, that in their middle.

    Parameters
    ----------
    weights : ndarray of shape (Y, X)
    size : int
        Side of the square, pixels; no longer than the image.

    Returns
    -------
    Window
    """
    height, width = min(size, weights.shape[0]), min(size, weights.shape[1])
    total = np.pad(weights.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    best = np.argwhere(sums > sums.max() - 1e-6)
    y, x = best[((best - best.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return slice(int(y), int(y) + height), slice(int(x), int(x) + width)


def objects_inside(labels: np.ndarray, window: Window) -> np.ndarray:
    """Return the numbers of the objects that have more than half of their area in a window."""
    inside = np.bincount(labels[window].ravel(), minlength=labels.max() + 1)
    numbers = np.flatnonzero(inside > 0.5 * np.bincount(labels.ravel()))
    return numbers[numbers != 0]


def crop_of(scored: Scored, row: str) -> Crop:
    """Choose a window: that with most objects for a typical image, that with most mistakes for a failure."""
    truth = scored.truth.labels
    true_objects, false_objects = judge(truth, scored.prediction)
    if row == "typical":
        weights = density(truth, {number: 1.0 for number in true_objects})
    else:
        weights = density(truth, {number: WEIGHTS.get(word, 0.0) for number, word in true_objects.items()})
        weights = weights + density(scored.prediction, {number: WEIGHTS["false"] for number in false_objects})
    window = fullest_window(weights)
    counts = Counter(true_objects[number] for number in objects_inside(truth, window).tolist())
    counts["false"] = len(set(objects_inside(scored.prediction, window).tolist()) & set(false_objects))
    return Crop(row, scored, window, dict(counts))


def choose(scored: Sequence[Scored]) -> List[Crop]:
    """Choose crops from images of one set and kind: typical ones first, then failures.

    Parameters
    ----------
    scored : sequence of Scored

    Returns
    -------
    list of Crop
        Typical: the image with the median score and that with the upper quartile. Failures: the image with the lowest
        score, and the lowest with another main mistake; both of the lower third. No image twice.
    """
    order = sorted(scored, key=lambda each: (each.mean_f1, each.truth.id))
    low = max(1, len(order) // 3) if len(order) > 1 else 0
    typical = sorted({len(order) // 2, 3 * len(order) // 4} & set(range(low, len(order))))
    worst = [crop_of(each, "failure") for each in order[:low]]
    others = [crop for crop in worst[1:] if main_mistake(crop) != main_mistake(worst[0])] or worst[1:]
    return [crop_of(order[place], "typical") for place in typical] + worst[:1] + others[:1]


def main_mistake(crop: Crop) -> str:
    """Return the mistake that is most frequent in a crop."""
    return max(MISTAKES, key=lambda word: crop.counts.get(word, 0) * WEIGHTS[word])


def score_set(folder: Path, kind: str, model: Model, at_most: Optional[int] = None) -> List[Scored]:
    """Segment and score the validation images of a kind, without those whose name was trained on as well."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        trained = {row["id"] for row in csv.DictReader(stream) if row["split"] == "train"}
    found = []
    for truth in islice((each for each in labelled_images(folder, "val", kind) if each.id not in trained), at_most):
        prediction = segment_image(truth.image, model).labels
        score = pool_scores([score_image(truth.labels, prediction)])
        found.append(Scored(folder.name, kind, truth, prediction, score.mean_f1, score.f1[0.7]))
    return found


def picture(image: np.ndarray) -> np.ndarray:
    """Stretch an image's contrast for the eye; its colours stay, since all channels are stretched alike."""
    image = grey_of_equal_colours(image)
    if image.ndim == 2:
        return grey_picture(image)
    colours = image[..., :3].astype(np.float32)
    low, high = contrast_limits(colours.mean(axis=2), 0.5, 99.8)
    return (np.clip((colours - low) / (high - low or 1.0), 0, 1) * 255).astype(np.uint8)
