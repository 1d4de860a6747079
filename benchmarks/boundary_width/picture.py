"""Draw what each width finds, decoded in both ways, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.boundary_width.rows import DECODERS
from benchmarks.gallery.crops import Crop, Scored, fullest_window, judge, objects_inside
from benchmarks.gallery.draw import draw_crop
from benchmarks.labeled_images import BenchmarkImage
from cpunet.files.written_beside import written_beside
from cpunet.model.card import Postprocessing
from cpunet.model.session import load_model
from cpunet.scores import pool_scores, score_image
from cpunet.training.data.labeled_images import IndexRow, LabeledImage, read_labeled_image
from cpunet.training.tuning.search import predict_image

CELL_INCHES = 3.8


def draw_fields(
    models: dict[str, Path], found: dict[str, dict[str, Any]], sets: dict[str, Sequence[IndexRow]], path: Path
) -> None:
    """Draw the image of each set with most parted background: a row for each decoding, a column for each model."""
    truths = {name: most_parted(rows) for name, rows in sets.items()}
    figure = Figure(
        (CELL_INCHES * len(models), (CELL_INCHES + 0.6) * len(truths) * len(DECODERS)), layout="constrained"
    )
    axes = figure.subplots(len(truths) * len(DECODERS), len(models), squeeze=False)
    for column, (name, file) in enumerate(models.items()):
        model = load_model(file, device="cpu")
        line = 0
        for of_set, truth in truths.items():
            predicted = predict_image(model, truth, None)
            for decoding, decoder in DECODERS.items():
                labels = decoder(predicted, Postprocessing(**found[name]["decoding"][decoding]))
                cell = axes[line, column]
                draw_crop(cell, crop_of(of_set, truth, labels))
                if column == 0:
                    cell.set_ylabel(decoding, size=12)
                if line == 0:
                    cell.set_title(name.replace("_", " "))
                line += 1
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=90, format="png", pil_kwargs={"optimize": True})


def parted(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Mark the background (Y, X) that objects and frame part from its largest piece.

    >>> parted(np.array([[0, 0, 1, 0]])).tolist()
    [[False, False, False, True]]
    """
    pieces, _ = ndimage.label(labels == 0)
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    marked: NDArray[np.bool_] = (pieces > 0) & (pieces != areas.argmax())
    return marked


def most_parted(rows: Sequence[IndexRow]) -> LabeledImage:
    """Return the image in which most background is parted from the rest."""
    return max((read_labeled_image(row) for row in rows), key=lambda each: int(parted(each.labels).sum()))


def crop_of(name: str, truth: LabeledImage, labels: NDArray[np.integer]) -> Crop:
    """Return the window with most parted background, and what was found there."""
    score = pool_scores([score_image(truth.labels, labels)])
    image = BenchmarkImage(truth.id, truth.image, truth.labels)
    words, false = judge(truth.labels, labels)
    window = fullest_window(parted(truth.labels).astype(float))
    objects = objects_inside(truth.labels, words, window) + objects_inside(labels, false, window)
    return Crop("typical", Scored(name, "fluorescence", image, labels, score.mean_f1, score.f1[0.7]), window, objects)
