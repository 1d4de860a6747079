"""Choose what a gallery of a model shows: typical images and failures, a window of each, and its objects' fates."""

import csv
from itertools import islice
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from benchmarks.labeled_images import BenchmarkImage, labeled_images
from cpunet.scores import object_errors, overlap, pool_scores, score_image
from cpunet.segment import Model, segment_image

Window = Tuple[slice, slice]

CROP_PX = 200
LETTERS = {"merged": "M", "split": "S", "missed": "?", "false": "X", "inexact": "", "tiny": "."}
# An inexact outline is seen less easily than an object too many or too few, and must not choose the window.
WEIGHTS = {"right": 0.0, "merged": 1.0, "split": 1.0, "missed": 1.0, "false": 1.0, "inexact": 0.2, "tiny": 0.0}
# BBBC039's truth holds specks at the rims of nuclei; where nobody sees a nucleus, no mark should ask for one. A share
# of the image's median area, since tissue has true nuclei of 30 pixels.
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
    """A window of an image, and the objects there: what became of each, and where in the window it lies."""

    row: str
    scored: Scored
    window: Window
    objects: List[Tuple[str, float, float]]

    def count(self, word: str) -> int:
        """Return how many objects this became of."""
        return sum(each == word for each, _, _ in self.objects)


def judge(truth: np.ndarray, prediction: np.ndarray) -> Tuple[Dict[int, str], Dict[int, str]]:
    """Say in a word what became of each object, by the rules of `cpunet.scores.score_image`.

    Parameters
    ----------
    truth, prediction : ndarray of shape (Y, X), integer
        0 is background; numbers may have gaps.

    Returns
    -------
    of_truth : dict of int to str
        By number: right, merged, split, missed (no predicted object of its own), tiny (missed, and small) or inexact.
    of_prediction : dict of int to str
        Only the predicted objects that belong to no true one: false.
    """
    shared = overlap(truth, prediction)
    errors = object_errors(shared, shared.iou)
    wrong_truth, wrong_prediction = errors.wrong_truth, errors.wrong_prediction
    # What has a partner already is no other object's.
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
    """Find the square, of `size` pixels or as the image is, with the largest sum; of equal ones the middle one."""
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
    """Choose a window: the one with most objects of a typical image, the one with most mistakes of a failure."""
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

    Parameters
    ----------
    scored : sequence of Scored

    Returns
    -------
    list of Crop
        Typical: the images with the median score and the upper quartile. Failures, from the lower third: the image
        with the lowest score, and the lowest with another mistake in front.
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


def score_set(folder: Path, kind: str, model: Model, at_most: Optional[int] = None) -> List[Scored]:
    """Segment and score the validation images of a kind, without those whose file was trained on under their name."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        trained = {row["id"] for row in csv.DictReader(stream) if row["split"] == "train"}
    scored = []
    for truth in islice((each for each in labeled_images(folder, "val", kind) if each.id not in trained), at_most):
        prediction = segment_image(truth.image, model).labels
        score = pool_scores([score_image(truth.labels, prediction)])
        scored.append(Scored(folder.name, kind, truth, prediction, score.mean_f1, score.f1[0.7]))
    return scored


def found_there(crop: Crop) -> str:
    """Count what became of the objects in a crop."""
    counts = [f"{crop.count(word)} {word}" for word in ("right", *LETTERS) if crop.count(word)]
    return ", ".join(counts) or "nothing to find"
