"""Calibrate a model on some images of a data set, as `cpunet calibrate` does, and score it on others.

export PYTHONPATH=plugins
.venv/cellprofiler/bin/python -m benchmarks.calibration data/bbbc039 --split val --shifts 0 1 2 3 -1 -2 -3
.venv/cellprofiler/bin/python -m benchmarks.calibration data/mnfinder data/aitslab --draws 5
"""

import argparse
import random
import sys
from pathlib import Path
from typing import List, Sequence

import numpy as np
from scipy import ndimage
from skimage.segmentation import expand_labels

from benchmarks.labeled_images import index_rows, labeled_image
from benchmarks.markdown import header, row
from cpunet.calibration.calibrate import calibrate
from cpunet.calibration.settings import Settings, card_with
from cpunet.calibration.trials import RememberingModel
from cpunet.files.images import gray_of_equal_colors
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.scores import SetScores, pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.steps.filters import relabel

HEADER = (
    "set",
    "labels moved by, px",
    "calibrated on",
    "scored on",
    "mean F1",
    "calibrated",
    "F1 at 0.9",
    "calibrated",
    "F1 at 0.9 if the model's objects are moved alike",
    "gain as predicted (90 %)",
    "gain",
    "written",
)


def scores_with(model: RememberingModel, settings: Settings, images: Sequence[LabeledImage]) -> SetScores:
    """Score images with settings in place of the model's own."""
    model.card = card_with(model.card, settings)
    return pool_scores([score_image(each.labels, segment_image(each.image, model).labels) for each in images])


def moved(image: LabeledImage, shift_px: float) -> LabeledImage:
    """Draw the labels of an image larger or smaller, as another laboratory would; what would vanish is not drawn."""
    if shift_px >= 0:
        return LabeledImage(image.image, expand_labels(image.labels, shift_px).astype(np.int32))
    smaller = np.zeros_like(image.labels)
    for number, axes in enumerate(ndimage.find_objects(image.labels), 1):
        window = tuple(slice(max(0, axis.start - 1), axis.stop + 1) for axis in axes)
        own = image.labels[window] == number
        smaller[window][own & (ndimage.distance_transform_edt(own) > -shift_px)] = number
    return LabeledImage(image.image, relabel(smaller))


def both_moved(model: RememberingModel, images: Sequence[LabeledImage], shift_px: float) -> SetScores:
    """Score the model's own objects, moved as the labels are: the same faults beside smaller or larger objects.

    No calibration of the outlines' place alone can be expected to be better.
    """
    found = [LabeledImage(each.image, segment_image(each.image, model).labels) for each in images]
    pairs = zip(images, found)
    return pool_scores([score_image(*(moved(each, shift_px).labels for each in pair)) for pair in pairs])


def measure(model: Model, images: Sequence[LabeledImage], number: int, shift_px: float) -> List[str]:
    """Move the labels, calibrate on the first images, score on the others, and lay all out as cells."""
    drawn = [moved(each, shift_px) for each in images]
    few, others = drawn[:number], drawn[number:]
    found = calibrate(model, few)
    remembering = RememberingModel(model)
    before, after = (scores_with(remembering, each, others) for each in (found.own, found.chosen))
    remembering.card = model.card
    alike = both_moved(remembering, images[number:], shift_px)
    return [
        f"{len(few)} ({sum(int(each.labels.max()) for each in few)} objects)",
        str(len(others)),
        f"{before.mean_f1:.3f}",
        f"{after.mean_f1:.3f}",
        f"{before.f1[0.9]:.3f}",
        f"{after.f1[0.9]:.3f}",
        f"{alike.f1[0.9]:.3f}",
        f"{found.gain:+.3f} ({found.gain_low:+.3f} to {found.gain_high:+.3f})",
        f"{after.mean_f1 - before.mean_f1:+.3f}",
        "yes" if found.is_better else "no",
    ]


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="data sets: images/ labels/ index.csv")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--split", nargs="+", default=["train", "val"])
    parser.add_argument("--modality", default="")
    parser.add_argument("--calibrate-on", type=int, default=5, metavar="N", help="images to calibrate on (5)")
    parser.add_argument("--score-on", type=int, default=20, metavar="N", help="other images to score, at most (20)")
    parser.add_argument("--draws", type=int, default=1, metavar="N", help="random choices of the images (1)")
    shifts = "draw the labels larger or smaller by each of these first (0)"
    parser.add_argument("--shifts", type=float, nargs="+", default=[0], metavar="PX", help=shifts)
    options = parser.parse_args(arguments)
    model = load_model(find_model(options.model))
    print(f"{model.card.name} {model.card.version}\n\n{header(HEADER)}")
    for folder in options.folders:
        ids = [each["id"] for each in index_rows(folder, options.modality) if each["split"] in options.split]
        for draw in range(options.draws):
            chosen = random.Random(draw).sample(ids, min(len(ids), options.calibrate_on + options.score_on))
            read = [labeled_image(folder, each) for each in chosen]
            images = [LabeledImage(gray_of_equal_colors(each.image), relabel(each.labels)) for each in read]
            for shift_px in options.shifts:
                cells = measure(model, images, options.calibrate_on, shift_px)
                print(row([folder.name, f"{shift_px:g}", *cells]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
