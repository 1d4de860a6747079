"""One row of the study: a network of one width is trained, and decoded in two ways."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.boundary_width.largest import objects_by_largest
from cpunet.export.export_model import export_model
from cpunet.model.card import METADATA_KEY, Postprocessing, card_to_json
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.onnx_reader.write_metadata import with_metadata
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.steps.declump import declump
from cpunet.steps.decode import postprocessing_at_scale
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.tuning.search import candidates, mean_f1_of_sets, predict_image, search
from cpunet.training.tuning.settings_scores import Predicted
from cpunet.training.weights import WEIGHTS_FILE

Decoder = Callable[[Predicted, Postprocessing], NDArray[np.int32]]
BY_CONTRAST, BY_LARGEST = "by contrast", "largest is background"


def by_contrast(predicted: Predicted, settings: Postprocessing) -> NDArray[np.int32]:
    """Decode as the module does."""
    at_scale = postprocessing_at_scale(settings, predicted.scale)
    return declump(predicted.probabilities, ("boundary",), at_scale, image=predicted.image)


def by_largest(predicted: Predicted, settings: Postprocessing) -> NDArray[np.int32]:
    """Decode as the literature does."""
    return objects_by_largest(predicted.probabilities[0], postprocessing_at_scale(settings, predicted.scale))


DECODERS: dict[str, Decoder] = {BY_CONTRAST: by_contrast, BY_LARGEST: by_largest}


def train_row(config: Path, data: Path, folder: Path, steps: int | None) -> float:
    """Train what a YAML file describes, or go on with it, and write `folder`/model.onnx; return the CPU minutes.

    They are those of all processes of this call: of a training that was stopped, those of the rest.
    """
    command = [sys.executable, "-m", "cpunet", "train", str(config), "--data", str(data), "--run", str(folder)]
    before = _seconds_of_children()
    subprocess.run(command + (["--steps", str(steps)] if steps else []), check=True)
    spent = _seconds_of_children() - before
    file = folder / "model.onnx"
    if not file.exists():
        export_model(folder / WEIGHTS_FILE, file)
    return spent / 60


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tuned(model: Model, sets: Sequence[Sequence[IndexRow]]) -> dict[str, Postprocessing]:
    """Find the settings of each decoding with the best mean F1 on images that no score is made of."""
    images = [[predict_image(model, read_labeled_image(row), None) for row in rows] for rows in sets]
    tried = candidates(model.card.output.roles, model.card.input.diameter_px)

    def best(decoder: Decoder) -> Postprocessing:
        @cache
        def quality(settings: Postprocessing) -> float:
            return mean_f1_of_sets(
                [[score_image(each.truth, decoder(each, settings)) for each in of_set] for of_set in images]
            )

        return search(tried, model.card.postprocessing, quality)

    return {name: best(decoder) for name, decoder in DECODERS.items()}


def write_settings(file: Path, settings: Postprocessing) -> Model:
    """Put settings into the card of a model file, and open it."""
    model = load_model(file, device="cpu")
    text = card_to_json(replace(model.card, postprocessing=settings))
    file.write_bytes(with_metadata(file.read_bytes(), METADATA_KEY, text))
    return load_model(file, device="cpu")


def scored(
    model: Model, settings: dict[str, Postprocessing], sets: dict[str, Sequence[IndexRow]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Score each decoding on each set: mean F1, F1 at IoU 0.7, splits, merges, and background taken for objects."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, rows in sets.items():
        scores: dict[str, list[ImageScores]] = {each: [] for each in DECODERS}
        background = dict.fromkeys(DECODERS, 0)
        for row in rows:
            predicted = predict_image(model, read_labeled_image(row), None)
            for each, decoder in DECODERS.items():
                labels = decoder(predicted, settings[each])
                scores[each].append(score_image(predicted.truth, labels))
                background[each] += objects_of_background(predicted.truth, labels)
        found[name] = {each: _summary(scores[each], background[each]) for each in DECODERS}
    return found


def _summary(scores: Sequence[ImageScores], background: int) -> dict[str, float]:
    pooled = pool_scores(scores)
    return {
        "mean_f1": round(pooled.mean_f1, 4),
        "f1_at_0.7": round(pooled.f1[0.7], 4),
        "over_segmented": pooled.over_segmented,
        "under_segmented": pooled.under_segmented,
        "background_as_objects": background,
        "true_objects": pooled.truth_count,
    }


def objects_of_background(truth: NDArray[np.integer], labels: NDArray[np.integer]) -> int:
    """Count the found objects of which more than half is background in truth.

    >>> objects_of_background(np.array([[1, 0, 0, 0]]), np.array([[1, 1, 0, 2]]))
    1
    """
    areas, of_background = np.bincount(labels.ravel()), np.bincount(labels.ravel(), weights=truth.ravel() == 0)
    return int((of_background[1:] > areas[1:] / 2).sum())


def row_of(
    config: Path, data: Path, folder: Path, scored_sets: dict[str, Sequence[IndexRow]], tune_on: Any, steps: int | None
) -> dict[str, Any]:
    """Train, tune and score one row.

    Returns
    -------
    dict
        ``cpu_minutes``; ``decoding``: the settings of each decoding; ``scores`` by set and decoding.
    """
    minutes = train_row(config, data, folder, steps)
    file = folder / "model.onnx"
    settings = tuned(load_model(file, device="cpu"), tune_on)
    model = write_settings(file, settings[BY_CONTRAST])
    return {
        "cpu_minutes": round(minutes, 1),
        "decoding": {name: asdict(each) for name, each in settings.items()},
        "scores": scored(model, settings, scored_sets),
    }
