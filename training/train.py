"""Train a network: a run that can be stopped and resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import EMAWeightAveraging, LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from cpunet.errors import ConfigError
from cpunet.interruption import held_back
from cpunet.onnx_reader.metadata import sha256
from cpunet.training.callbacks import (
    CheckpointsWrittenBeside,
    Curves,
    LastingStop,
    MovableCheckpoint,
    StopsBetweenSteps,
    ValidationScores,
    WaitingTime,
)
from cpunet.training.config import TrainingConfig, without_description
from cpunet.training.data.fold import FOLD_FACT, Fold, fold_as_fact
from cpunet.training.data.labeled_images import IndexRow, rows_of_split, validation_sample
from cpunet.training.facts import current_commit, data_sum, set_diameters, training_facts
from cpunet.training.fine_tune import averaged_with_start, find_weights
from cpunet.training.network.encoders.pretrained import find_pretrained, origin_of
from cpunet.training.optimizers import judging_metric
from cpunet.training.patches.sources import read_sources
from cpunet.training.patches.stream import PatchData
from cpunet.training.run_progress import RunProgress
from cpunet.training.task import SegmentationTask
from cpunet.training.tuning.search import candidates
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork, load_trained, save_trained

# The names of the settings that are tuned are the same for any.
ANY_DIAMETER_PX = 1.0
LAST, BEST = "last.ckpt", "best.ckpt"
# On what `cpunet export --data` tunes.
ON_IMAGES = "validation images, or on all of a set that leaves none out"
ON_VOLUMES = "validation volumes"


def train(
    config: TrainingConfig,
    root: Path,
    run_folder: Path,
    fold: Fold | None = None,
    callbacks: Sequence[lightning.Callback] = (),
) -> Path:
    """Train, or continue a training that was stopped.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    run_folder : Path
        Gets checkpoints, logs/version_N/metrics.csv, tensorboard/, curves.png and weights.safetensors. If it holds
        last.ckpt, the run continues from there; if it holds weights.safetensors too, the run is finished.
    fold : Fold, optional
        Says which images are trained on and which are left out, instead of the index. The weights know it.
    callbacks : sequence of lightning.Callback
        Called after each validation, before checkpoints are written.

    Returns
    -------
    Path
        weights.safetensors, with the configuration and the facts of the data inside.

    Raises
    ------
    ConfigError
        If the folder holds a run of another configuration or of other images, or the weights to start from do not fit.
    DataError
        If a data set cannot be used.
    """
    last, weights = run_folder / LAST, run_folder / WEIGHTS_FILE
    begun = load_trained(last) if last.exists() else None
    if begun is not None:
        check_same_run(config, begun.config, last)
        if weights.exists():
            finished = load_trained(weights)
            check_same_images(config, finished.facts, root, weights, fold)
            save_trained(weights, replace(finished, config=config))  # its description may have changed
            print(finished_already(weights))
            return weights
    else:
        check_free(run_folder)
    lightning.seed_everything(config.seed, workers=True)
    rows, sources, image_diameters = read_sources(config, root, fold)
    facts = training_facts(config, rows, sources, image_diameters)
    if begun is not None and begun.facts.get("data") != facts["data"]:
        raise ConfigError(other_images(last, root))
    if encoder := pretrained_encoder(config):
        facts["pretrained"] = encoder
    if fold is not None:
        facts[FOLD_FACT] = fold_as_fact(fold)
    facts["commit"] = (begun.facts.get("commit") if begun else None) or current_commit(Path(__file__).parent)
    if config.start_from:
        known = begun.facts.get("start_from", {}) if begun else {}
        facts["start_from"] = {**known, "name": config.start_from, "sha256": sha256(find_weights(config.start_from))}
    if config.average_with:
        averaged = find_weights(config.average_with, "average_with")
        facts["average_with"] = {"name": config.average_with, "sha256": sha256(averaged)}
    if config.teachers:
        facts["teachers"] = [
            {"name": name, "sha256": sha256(find_weights(name, "teachers"))} for name in config.teachers
        ]
    run_folder.mkdir(parents=True, exist_ok=True)
    task = SegmentationTask(config, facts)
    waiting = WaitingTime()
    sample = validation_sample(config, root, fold)
    trainer = build_trainer(
        config,
        run_folder,
        [ValidationScores(config, sample, set_diameters(config, facts)), *early_stopping(config), waiting, *callbacks],
    )
    say_if_trained_on(sample)
    data = PatchData(config, sources)
    with held_back():
        trainer.fit(task, data, ckpt_path=last if begun else None, weights_only=True)
    if trainer.is_global_zero:
        network = task.network.cpu().eval()
        if config.early_stopping_patience:
            network = load_trained(run_folder / BEST).network
        if config.start_share:
            network = averaged_with_start(network, config)
        save_trained(weights, TrainedNetwork(network, config, {**facts, "steps": trainer.global_step}))
        print(waiting.said(config.workers))
    return weights


def finished_already(weights: Path) -> str:
    """Say that a run's weights are there, so that nothing is left to train."""
    return f"{weights}: this run is finished, nothing is trained. To train anew, give another --run folder."


def check_same_images(
    config: TrainingConfig, facts: Mapping[str, Any], root: Path, weights: Path, fold: Fold | None = None
) -> None:
    """Raise ConfigError if finished weights with these facts were trained on other images or labels than are there."""
    trained_on = [each["sha256"] for each in facts["data"]]
    if trained_on != [data_sum(rows) for rows in rows_of_split(config.data, root, "train", fold)]:
        raise ConfigError(other_images(weights, root))


def other_images(path: Path, root: Path) -> str:
    """Say that a run was trained on images that have changed since, and what to do."""
    return (
        f"{path} was trained on other images or labels than {root} holds now. To train on these, give another "
        "folder, or move that one away."
    )


def say_if_trained_on(sample: Sequence[Sequence[IndexRow]]) -> None:
    """Say so if images that are scored, by data set, are trained on as well."""
    if any(row.split == "train" for rows_of_set in sample for row in rows_of_set):
        print("no image was left out for validation: scores are of training images, and other images score lower")


def pretrained_encoder(config: TrainingConfig) -> dict[str, str]:
    """Return what the card says of pretrained weights: of this run's, or of a model's that it takes weights from.

    Empty if there are none.
    """
    if config.pretrained:
        encoder = config.architecture.encoder
        return origin_of(encoder, find_pretrained(encoder, config.pretrained))
    for field in ("start_from", "average_with"):
        if name := getattr(config, field):
            found: dict[str, str] = load_trained(find_weights(name, field)).facts.get("pretrained", {})
            if found:
                return found
    return {}


def tuned_at_the_end(config: TrainingConfig, on: str = ON_IMAGES) -> str:
    """Say which settings ``cpunet export --data`` will choose, if any, and on what."""
    if config.decoding is not None:
        return "at the end: nothing is tuned, as the configuration gives the thresholds under `decoding`"
    names = ", ".join(candidates(config.targets.roles, ANY_DIAMETER_PX))
    return f"at the end: `cpunet export --data` tunes {names} on {on}; until then usual values are used"


def build_trainer(
    config: TrainingConfig, run_folder: Path, callbacks: Sequence[lightning.Callback]
) -> lightning.Trainer:
    """Make lightning's trainer for a run; `callbacks` come before the checkpoints, the curves and the progress."""
    metric, best = judging_metric(config)
    return lightning.Trainer(
        accelerator="auto",
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision=config.precision,  # type: ignore[arg-type]
        # An epoch is what lies between two validations. Counted in steps, lightning would begin a resumed run inside
        # the epoch that had just ended, and validate once more.
        max_epochs=-(-config.steps // config.validate_every),
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        plugins=[CheckpointsWrittenBeside()],
        log_every_n_steps=20,
        # Each start logs into a folder of its own: a resumed run keeps its past.
        logger=[CSVLogger(run_folder, name="logs"), TensorBoardLogger(run_folder, name="tensorboard")],
        callbacks=[
            *callbacks,
            *weight_averaging(config),
            LearningRateMonitor("step"),
            # Lightning saves last, after all that is logged at the end of an epoch.
            MovableCheckpoint(
                run_folder,
                filename=Path(BEST).stem,
                monitor=metric,
                mode=best,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
            # One of its own: with `save_last` lightning writes the last only where it is also the best.
            MovableCheckpoint(
                run_folder, filename=Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False
            ),
            Curves(run_folder),
            RunProgress(config.steps),
            StopsBetweenSteps(),
        ],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def weight_averaging(config: TrainingConfig) -> list[lightning.Callback]:
    """Return lightning's moving average of the weights, or nothing if the configuration has no decay.

    Notes
    -----
    Polyak, Juditsky 1992, doi:10.1137/0330046.
    """
    return [EMAWeightAveraging(decay=config.average_decay)] if config.average_decay else []


def early_stopping(config: TrainingConfig) -> list[lightning.Callback]:
    """Return lightning's early stopping on the validations, or nothing if the configuration has no patience."""
    if not config.early_stopping_patience:
        return []
    metric, best = judging_metric(config)
    return [LastingStop(metric, mode=best, patience=config.early_stopping_patience, check_on_train_epoch_end=True)]


def check_free(run_folder: Path) -> None:
    """Raise ConfigError if a new run would replace the weights of another, such as those that it starts from."""
    check_is_folder(run_folder)
    for name in (WEIGHTS_FILE, BEST):
        if (run_folder / name).exists():
            raise ConfigError(
                f"{run_folder / name} is there, but no {LAST} with which its run could go on. A new run would replace "
                "it: give another --run folder, or move the file away."
            )


def check_is_folder(path: Path) -> None:
    """Raise ConfigError if there is a file where a run needs a folder."""
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path}: this is a file, and a run needs a folder. Give another one.")


def check_same_run(config: TrainingConfig, config_of_checkpoint: TrainingConfig, checkpoint: Path) -> None:
    """Raise ConfigError if a checkpoint belongs to a run of another configuration."""
    before, now = without_description(config_of_checkpoint), without_description(config)
    if before != now:
        different = [field.name for field in fields(now) if getattr(before, field.name) != getattr(now, field.name)]
        raise ConfigError(
            f"{checkpoint} is of a run with another {', '.join(different)}. To go on with it, use its configuration; "
            "to begin anew, give another --run folder or move that one away."
        )
