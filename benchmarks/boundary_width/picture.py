"""Draw what each width finds, decoded in both ways, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.boundary_width.rows import DECODERS
from benchmarks.gallery.crops import Crop, Scored, density, fullest_window, judge, objects_inside
from benchmarks.gallery.draw import draw_crop
from benchmarks.labeled_images import BenchmarkImage
from cpunet.files.written_beside import written_beside
from cpunet.model.card import Postprocessing
from cpunet.model.session import load_model
from cpunet.scores import pool_scores, score_image
from cpunet.training.data.labeled_images import IndexRow, LabeledImage, read_labeled_image
from cpunet.training.tuning.search import predict_image

CELL_INCHES = 3.3


def draw_fields(
    models: dict[str, Path], found: dict[str, dict[str, Any]], sets: dict[str, Sequence[IndexRow]], path: Path
) -> None:
    """Draw the fullest image of each set, a row for each decoding of it, and a column for each model."""
    truths = {name: fullest(rows) for name, rows in sets.items()}
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


def fullest(rows: Sequence[IndexRow]) -> LabeledImage:
    """Return the image of which objects cover most."""
    return max((read_labeled_image(row) for row in rows), key=lambda each: float((each.labels > 0).mean()))


def crop_of(name: str, truth: LabeledImage, labels: Any) -> Crop:
    """Return the window with most true objects, and what was found there."""
    score = pool_scores([score_image(truth.labels, labels)])
    image = BenchmarkImage(truth.id, truth.image, truth.labels)
    words, false = judge(truth.labels, labels)
    window = fullest_window(density(truth.labels, dict.fromkeys(words, 1.0)))
    objects = objects_inside(truth.labels, words, window) + objects_inside(labels, false, window)
    return Crop("typical", Scored(name, "fluorescence", image, labels, score.mean_f1, score.f1[0.7]), window, objects)
