"""Train Mask R-CNN: a run that can be stopped and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning

from cpunet.errors import ConfigError
from cpunet.interruption import held_back
from cpunet.onnx_reader.metadata import sha256
from cpunet.training.callbacks import WaitingTime
from cpunet.training.data.labeled_images import validation_sample
from cpunet.training.detection.config import DetectionConfig
from cpunet.training.detection.start_weights import read_start_weights, take_weights
from cpunet.training.detection.stream import ObjectData
from cpunet.training.detection.task import DetectionTask
from cpunet.training.detection.validation import DetectorScores
from cpunet.training.detection.weights import TrainedDetector, load_detector, save_detector
from cpunet.training.facts import current_commit, set_diameters, training_facts
from cpunet.training.patches.sources import read_sources
from cpunet.training.train import (
    BEST,
    LAST,
    build_trainer,
    check_free,
    check_same_images,
    check_same_run,
    early_stopping,
    finished_already,
    other_images,
    say_if_trained_on,
)
from cpunet.training.weights import WEIGHTS_FILE


def train_detector(config: DetectionConfig, root: Path, run_folder: Path) -> Path:
    """Train Mask R-CNN, or continue a training that was stopped.

    Parameters
    ----------
    config : DetectionConfig
    root : Path
        The folder that holds the data sets.
    run_folder : Path
        Gets checkpoints, logs/version_N/metrics.csv, tensorboard/, curves.png and weights.safetensors. If it holds
        last.ckpt, the run continues from there; if it holds weights.safetensors too, the run is finished.

    Returns
    -------
    Path
        weights.safetensors, with the configuration and the facts of the data inside.

    Raises
    ------
    ConfigError
        If the folder holds a run of another configuration.
    WeightsError
        If the weights to start from do not fit.
    DataError
        If a data set cannot be used.
    """
    last, weights = run_folder / LAST, run_folder / WEIGHTS_FILE
    begun = load_detector(last) if last.exists() else None
    if begun is not None:
        check_same_run(config, begun.config, last)
        if weights.exists():
            finished = load_detector(weights)
            check_same_images(config, finished.facts, root, weights)
            save_detector(weights, TrainedDetector(finished.network, config, finished.facts))  # a new description
            print(finished_already(weights))
            return weights
    else:
        check_free(run_folder)
    lightning.seed_everything(config.seed, workers=True)
    rows, sources, image_diameters = read_sources(config, root)
    facts = training_facts(config, rows, sources, image_diameters)
    if begun is not None and begun.facts.get("data") != facts["data"]:
        raise ConfigError(other_images(last, root))
    facts["commit"] = (begun.facts.get("commit") if begun else None) or current_commit(Path(__file__).parent)
    task = DetectionTask(config, facts)
    if config.start_from:
        facts["start_from"] = begun.facts["start_from"] if begun else start(task, Path(config.start_from).expanduser())
        facts["start_from"]["licence"] = config.start_licence
    run_folder.mkdir(parents=True, exist_ok=True)
    waiting = WaitingTime()
    sample = validation_sample(config, root)
    trainer = build_trainer(
        config,
        run_folder,
        [DetectorScores(config, sample, set_diameters(config, facts)), *early_stopping(config), waiting],
    )
    say_if_trained_on(sample)
    with held_back():
        trainer.fit(task, ObjectData(config, sources), ckpt_path=last if begun else None, weights_only=True)
    network = task.network.cpu().eval()
    if config.early_stopping_patience:
        network = load_detector(run_folder / BEST).network
    save_detector(weights, TrainedDetector(network, config, {**facts, "steps": trainer.global_step}))
    print(waiting.said(config.workers))
    return weights


def start(task: DetectionTask, path: Path) -> dict[str, Any]:
    """Take over weights of a file, say which, and return what the card says of the file."""
    print(f"starting from {path}: {take_weights(task.network, read_start_weights(path), path)}")
    return {"name": path.name, "sha256": sha256(path)}
