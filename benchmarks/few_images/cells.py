"""One cell of the benchmark: a model made of a few images in one way, and its scores on images that it never saw."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data_set_with_labels import write_data_set
from benchmarks.few_images.sets import START, images_of, scored, teaching
from cpunet.calibration.calibrate import calibrate
from cpunet.calibration.settings import card_with
from cpunet.export.export_model import export_model
from cpunet.files.labeled_images import LabeledImage
from cpunet.files.written_beside import written_beside
from cpunet.model.find import find_model
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.model.with_card import ModelWithCard
from cpunet.scores import ImageScores, SetScores, pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import TrainingConfig
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.fine_tune import averaged_with_start
from cpunet.training.planning.machine import this_machine
from cpunet.training.planning.plan import make_plan
from cpunet.training.train import train
from cpunet.training.weights import WEIGHTS_FILE, load_trained, save_trained

SHIPPED, CALIBRATED, SCRATCH, TUNED, AVERAGED = "as it is", "calibrated", "scratch", "fine-tuned", "averaged"
METHODS = (SHIPPED, CALIBRATED, SCRATCH, TUNED, AVERAGED)
# What "averaged" keeps of the model to start from.
START_SHARE = 0.3
# Plans must not depend on what else has memory just now.
FREE_BYTES, CORES = 8 * 10**9, 2
MEASURED_STEPS = 120


@dataclass(frozen=True)
class Cell:
    """What is measured at once.

    Attributes
    ----------
    name : str
        Of the set.
    images, minutes : int
        Labeled images, and minutes of two idle cores; 0 where none are used.
    method : str
        One of `METHODS`.
    """

    name: str
    images: int
    minutes: int
    method: str

    def path(self, folder: Path) -> Path:
        """Where its result lies."""
        return folder / "cells" / f"{self.name}-{self.images}-{self.minutes}-{self.method.replace(' ', '_')}.json"

    def write(self, folder: Path, found: dict[str, Any]) -> None:
        """Write its result as JSON."""
        path = self.path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(path) as beside:
            beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(cell: Cell, root: Path, folder: Path, steps: int) -> dict[str, Any]:
    """Make the model of a cell, and score it.

    Parameters
    ----------
    cell : Cell
    root : Path
        Holds the data sets.
    folder : Path
        Gets everything that is made. A training that was stopped goes on.
    steps : int
        The training, if there is one, has no more than these.
    """
    rows = images_of(cell.name, root)
    began = time.perf_counter()
    if cell.method in (SCRATCH, TUNED, AVERAGED):
        file, steps = trained_model(cell, rows, folder, steps)
        model: Model = load_model(file, device="cpu")
    else:
        model = load_model(find_model(START), device="cpu")
    if cell.method == CALIBRATED:
        model = calibrated_model(model, teaching(rows, cell.images))
    minutes = (time.perf_counter() - began) / 60
    found = pool_scores([score_row(model, row) for row in scored(rows)])
    return {**asdict(cell), "steps": steps, "measured_minutes": round(minutes, 1), **in_short(found)}


def score_row(model: Model, row: IndexRow) -> ImageScores:
    """Segment an image, and compare it with its labels."""
    truth = read_labeled_image(row)
    return score_image(truth.labels, segment_image(as_taken(truth.image, model), model).labels)


def as_taken(image: NDArray[np.generic], model: Model) -> NDArray[np.generic]:
    """Return the mean of the colors for a model of gray images, as CellProfiler's ColorToGray makes it."""
    return image.mean(axis=2) if image.ndim == 3 and len(model.card.input.channels) == 1 else image


def in_short(scores: SetScores) -> dict[str, Any]:
    """Choose the scores of the table; the count error is the mean over images, in parts of the true objects."""
    return {
        "scored_images": scores.images,
        "objects": scores.truth_count,
        "mean_f1": round(scores.mean_f1, 4),
        "f1_at_0.7": round(scores.f1[0.7], 4),
        "count_error": round(scores.count_error * scores.images / scores.truth_count, 4),
    }


def calibrated_model(model: Model, rows: list[IndexRow]) -> Model:
    """Return a model with the settings that a calibration on labeled images finds, or its own if those are better."""
    images = [LabeledImage(as_taken(each.image, model), each.labels) for each in map(read_labeled_image, rows)]
    found = calibrate(model, images)
    return ModelWithCard(model, card_with(model.card, found.chosen if found.is_better else found.own))


def planned(name: str, data: Path, start: str, most_steps: int) -> TrainingConfig:
    """Return what `cpunet train --plan --minutes` plans for a data set on two cores, if so many steps fit."""
    machine = replace(this_machine(), free_bytes=FREE_BYTES, cores=CORES)
    config = make_plan(name, [data], machine, start).config
    if config.steps <= most_steps:
        return config
    return make_plan(name, [data], machine, start, {"steps": most_steps}).config


def trained_model(cell: Cell, rows: list[IndexRow], folder: Path, most_steps: int) -> tuple[Path, int]:
    """Train as a user would, and export; return the model's file and the steps that it was trained.

    Budgets that allow for the same steps share one training.
    """
    data = folder / "data" / f"{cell.name}_{cell.images}"
    write_data_set(teaching(rows, cell.images), data)
    start = "" if cell.method == SCRATCH else START
    config = planned(f"{cell.name}_{cell.images}", data, start, most_steps)
    name = f"{cell.name}_{cell.images}_{config.steps}_{'scratch' if cell.method == SCRATCH else 'tuned'}"
    run = folder / "runs" / name
    weights = train(config, data.parent, run)
    if cell.method == AVERAGED:
        trained = load_trained(weights)
        config = replace(trained.config, start_share=START_SHARE)
        run = run.with_name(f"{name}_averaged")
        run.mkdir(exist_ok=True)
        weights = run / WEIGHTS_FILE
        save_trained(weights, replace(trained, network=averaged_with_start(trained.network, config), config=config))
    model = run / "model.onnx"
    export_model(weights, model, data.parent)
    return model, config.steps


def steps_a_minute(name: str, method: str, root: Path, folder: Path) -> float:
    """Measure how many steps a training of a set does in a minute; nothing else may run on the machine."""
    data = folder / "data" / f"{name}_3"
    write_data_set(teaching(images_of(name, root), 3), data)
    run = folder / "rates" / f"{name}_{method}"
    shutil.rmtree(run, ignore_errors=True)
    seconds = {}
    # Of two lengths, so that reading images and starting processes do not count. What comes first loads libraries.
    for steps in (1, MEASURED_STEPS // 2, MEASURED_STEPS):
        config = planned(f"{name}_rate", data, "" if method == SCRATCH else START, steps)
        config = replace(config, validate_every=steps, validation_images=1)
        began = time.perf_counter()
        train(config, data.parent, run / str(steps))
        seconds[steps] = time.perf_counter() - began
    return 60 * (MEASURED_STEPS - MEASURED_STEPS // 2) / (seconds[MEASURED_STEPS] - seconds[MEASURED_STEPS // 2])
