"""Choose what the gallery of a model shows: typical images and failures, a window of each, a word for each object."""

import csv
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from benchmarks.labeled_images import BenchmarkImage, labeled_images
from cpunet.model.protocol import Model
from cpunet.scores import object_errors, overlap, pool_scores, score_image
from cpunet.segment import segment_image

Window = Tuple[slice, slice]

CROP_PX = 200
LETTERS = {"merged": "M", "split": "S", "missed": "?", "false": "X", "inexact": "", "tiny": "."}
# An inexact outline is seen less easily than an object too many or too few, and must not choose the window.
WEIGHTS = {"right": 0.0, "merged": 1.0, "split": 1.0, "missed": 1.0, "false": 1.0, "inexact": 0.2, "tiny": 0.0}
# BBBC039's truth holds specks at the rims of nuclei, which should get no mark. A share of the image's median area,
# since tissue has true nuclei of 30 pixels.
TINY_SHARE = 0.1


class Scored(NamedTuple):
    """A validation image, what the model found in it, and the scores of that."""

    set: str
    kind: str
    truth: BenchmarkImage
    prediction: np.ndarray
    mean_f1: float
    f1: float


class Crop(NamedTuple):
    """A window of an image, and each object in it: the word from `judge`, and its y and x in the window."""

    row: str
    scored: Scored
    window: Window
    objects: List[Tuple[str, float, float]]

    def count(self, word: str) -> int:
        """Count the objects with this word."""
        return sum(each == word for each, _, _ in self.objects)


def judge(truth: np.ndarray, prediction: np.ndarray) -> Tuple[Dict[int, str], Dict[int, str]]:
    """Give each object of two label images (Y, X) a word, by the rules of `cpunet.scores.score_image`.

    Returns two dicts by object number. A true object is right, merged, split, missed (no predicted object of its own),
    tiny (missed, and small) or inexact. Predicted objects that belong to no true one are false; others have no word.
    """
    shared = overlap(truth, prediction)
    errors = object_errors(shared, shared.iou)
    wrong_truth, wrong_prediction = errors.wrong_truth, errors.wrong_prediction
    # An object with a partner belongs to no other object.
    linked = (errors.inside_truth | errors.inside_prediction) & wrong_truth[:, np.newaxis] & wrong_prediction
    tiny = shared.truth_area < TINY_SHARE * np.median(shared.truth_area) if shared.truth_area.size else wrong_truth
    words = np.where(linked.any(axis=1), "inexact", np.where(tiny, "tiny", "missed"))
    words[errors.over_segmented] = "split"
    words[errors.under_segmented] = "merged"
    words[~wrong_truth] = "right"
    false = wrong_prediction & ~linked.any(axis=0)
    of_truth = dict(zip(np.unique(truth[truth > 0]).tolist(), words.tolist()))
    return of_truth, dict.fromkeys(np.unique(prediction[prediction > 0])[false].tolist(), "false")


def density(labels: np.ndarray, weights: Dict[int, float]) -> np.ndarray:
    """Spread the weight of each object evenly over its pixels."""
    area = np.bincount(labels.ravel())
    by_number = np.zeros(len(area))
    for number, weight in weights.items():
        by_number[number] = weight / area[number]
    return by_number[labels]


def fullest_window(weights: np.ndarray, size: int = CROP_PX) -> Window:
    """Find the square of ``size`` pixels (fewer in a small image) with the largest sum; of equals the middle one."""
    height, width = min(size, weights.shape[0]), min(size, weights.shape[1])
    total = np.pad(weights.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    best = np.argwhere(sums > sums.max() - 1e-6)
    y, x = best[((best - best.mean(axis=0)) ** 2).sum(axis=1).argmin()].tolist()
    return slice(y, y + height), slice(x, x + width)


def objects_inside(labels: np.ndarray, words: Dict[int, str], window: Window) -> List[Tuple[str, float, float]]:
    """List the objects that lie in a window with more than half of their area: word, y and x in the window."""
    part = labels[window]
    inside = np.bincount(part.ravel(), minlength=labels.max() + 1) > 0.5 * np.bincount(labels.ravel())
    return [(word, *np.argwhere(part == number).mean(axis=0)) for number, word in words.items() if inside[number]]


def crop_of(scored: Scored, row: str) -> Crop:
    """Choose the window with most objects in a typical image, or with most mistakes in a failure."""
    truth, prediction = scored.truth.labels, scored.prediction
    of_truth, of_prediction = judge(truth, prediction)
    if row == "typical":
        window = fullest_window(density(truth, dict.fromkeys(of_truth, 1.0)))
    else:
        weights = [{number: WEIGHTS[word] for number, word in words.items()} for words in (of_truth, of_prediction)]
        window = fullest_window(density(truth, weights[0]) + density(prediction, weights[1]))
    objects = objects_inside(truth, of_truth, window) + objects_inside(prediction, of_prediction, window)
    return Crop(row, scored, window, objects)


def choose(scored: Sequence[Scored]) -> List[Crop]:
    """Choose crops from images of one set and kind, no image twice.

    Typical are the images with the median score and the upper quartile. Failures come from the lower third: the image
    with the lowest score, and the lowest with another main mistake.
    """
    order = sorted(scored, key=lambda each: (each.mean_f1, each.truth.id))
    low = max(1, len(order) // 3) if len(order) > 1 else 0
    typical = [order[place] for place in sorted({len(order) // 2, 3 * len(order) // 4}) if low <= place < len(order)]
    worst = [crop_of(each, "failure") for each in order[:low]]
    others = [crop for crop in worst[1:] if main_mistake(crop) != main_mistake(worst[0])] or worst[1:]
    return [crop_of(each, "typical") for each in typical] + worst[:1] + others[:1]


def main_mistake(crop: Crop) -> str:
    """Return the mistake that weighs most in a crop."""
    return max(LETTERS, key=lambda word: crop.count(word) * WEIGHTS[word])


def score_set(folder: Path, kind: str, model: Model) -> List[Scored]:
    """Segment and score the validation images of a kind, except those whose file was also trained on."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        trained = {row["id"] for row in csv.DictReader(stream) if row["split"] == "train"}
    scored = []
    for truth in (each for each in labeled_images(folder, "val", kind) if each.id not in trained):
        prediction = segment_image(truth.image, model).labels
        score = pool_scores([score_image(truth.labels, prediction)])
        scored.append(Scored(folder.name, kind, truth, prediction, score.mean_f1, score.f1[0.7]))
    return scored


def found_there(crop: Crop) -> str:
    """Count the objects of a crop by their words."""
    counts = [f"{crop.count(word)} {word}" for word in ("right", *LETTERS) if crop.count(word)]
    return ", ".join(counts) or "nothing to find"
