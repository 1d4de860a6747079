"""The training loop: a LightningModule, and a run that can be stopped and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from cpunet.errors import ConfigError
from cpunet.files.images import written_beside
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options
from cpunet.scores import pool_scores
from cpunet.training.callbacks import Curves, WaitingTime
from cpunet.training.config import TrainingConfig, config_to_dict, without_description
from cpunet.training.data.labeled_images import IndexRow, object_diameters, read_labeled_image, rows_of_split
from cpunet.training.evaluation.torch_model import TorchModel, card_for_training, score_images
from cpunet.training.facts import current_commit, median_diameter, set_diameters, training_facts
from cpunet.training.fine_tune import find_weights, freeze_encoder, keep_statistics, learning, load_start, take_over
from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.optimizers import VALIDATION_SCORE, build_optimizer, build_schedule
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.stream import Item, PatchData, normalized_patch
from cpunet.training.weights import (
    CONFIG_KEY,
    FACTS_KEY,
    WEIGHTS_FILE,
    TrainedNetwork,
    build_network,
    load_trained,
    save_trained,
)

LAST, BEST = "last.ckpt", "best.ckpt"
# More than any run has steps, so that no two devices ever draw alike.
DEVICE_SEEDS = 10**8


class SegmentationTask(lightning.LightningModule):
    """A U-Net with its loss and optimizer.

    Parameters
    ----------
    config : TrainingConfig
    facts : dict
        See `cpunet.training.facts`.
    """

    def __init__(self, config: TrainingConfig, facts: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.facts = facts
        self.network = build_network(config)
        if config.start_from:
            transfer = take_over(self.network, config, load_start(config))
            if transfer.new_input and config.frozen == "encoder":
                raise ConfigError(
                    f"frozen: {config.start_from} has another number of image channels, so that the first convolution "
                    "begins at random and must learn. Leave frozen out."
                )
            print(f"starting from {config.start_from}: {transfer}")
        if config.frozen == "encoder":
            freeze_encoder(self.network)
        self.network = self.network.to(memory_format=torch.channels_last)
        self.loss = SegmentationLoss(config.loss, config.targets)

    def on_train_epoch_start(self) -> None:
        """Keep a frozen encoder's statistics, which every return to training mode would set free."""
        if self.config.frozen == "encoder":
            keep_statistics(self.network)

    def on_train_batch_start(self, batch: Item, batch_index: int) -> None:
        """Let dropout leave out the same features in a resumed run."""
        torch.manual_seed(self.config.seed + self.trainer.global_step + DEVICE_SEEDS * self.trainer.global_rank)

    def training_step(self, batch: Item, batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        image, targets, weights = batch
        loss: Tensor = self.loss(self.network(image.to(memory_format=torch.channels_last)), targets, weights)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        """Return the optimizer and the schedule of the configuration."""
        optimizer = build_optimizer(learning(self.network), self.config)
        schedule = build_schedule(optimizer, self.config)
        return {"optimizer": optimizer, "lr_scheduler": schedule} if schedule else optimizer

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Move a schedule on; not one that waits for a plateau: lightning would do so only after the checkpoint."""
        if metric is None:
            scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store configuration and facts as plain content beside the weights."""
        checkpoint[FACTS_KEY] = self.facts
        checkpoint[CONFIG_KEY] = config_to_dict(self.config)


class ValidationScores(lightning.Callback):
    """Score whole validation images, by the path that the module runs, at each checkpoint.

    Parameters
    ----------
    config : TrainingConfig
    sets : sequence of sequence of IndexRow
        Validation images of each data set.
    diameters : sequence of float or None
        The typical diameter in each set's images, where they are scaled.
    """

    def __init__(
        self, config: TrainingConfig, sets: Sequence[Sequence[IndexRow]], diameters: Sequence[float | None]
    ) -> None:
        self.card = card_for_training(config)
        self.activation = config.targets.activation
        self.sets = sets
        self.diameters = diameters

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the pooled scores."""
        assert isinstance(pl_module, SegmentationTask)
        model = TorchModel(pl_module.network, self.activation, self.card)
        images = [
            score
            for rows, diameter in zip(self.sets, self.diameters, strict=True)
            # Not by what the network finds: at first it finds nothing that could be measured.
            for score in score_images(model, rows, Options(diameter_px=diameter, scale=None if diameter else 1.0))
        ]
        # Batch normalization's statistics differ a little between devices, and all must decide alike.
        scores = trainer.strategy.broadcast(pool_scores(images))
        pl_module.log(VALIDATION_SCORE, scores.mean_f1, prog_bar=True)
        pl_module.log("val_mean_average_precision", scores.mean_average_precision)
        for schedule in trainer.lr_scheduler_configs:
            if schedule.reduce_on_plateau:
                schedule.scheduler.step(scores.mean_f1)


class LastingStop(EarlyStopping):
    """Early stopping that a resumed run remembers."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop at once if the run had stopped before it was killed."""
        trainer.should_stop = self.wait_count >= self.patience


class MovableCheckpoint(ModelCheckpoint):
    """Knows the best score again although the run's folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of a run that was stopped."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


class CheckpointsWrittenBeside(TorchCheckpointIO):
    """Writes in the run's folder and renames: lightning writes in /tmp, and a move from there may be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, whole or not at all."""
        with written_beside(Path(path)) as beside:
            torch.save(checkpoint, beside)


def train(config: TrainingConfig, root: Path, run_folder: Path) -> Path:
    """Train, or go on with training that was stopped.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    run_folder : Path
        Gets checkpoints, logs/version_N/metrics.csv, tensorboard/, curves.png and weights.safetensors. If it holds
        last.ckpt, the run goes on from there; if it holds weights.safetensors too, there is nothing left to do.

    Returns
    -------
    Path
        weights.safetensors, with the configuration and the facts of the data inside.

    Raises
    ------
    ConfigError
        If the folder holds a run of another configuration, or the start does not fit.
    DataError
        If a data set cannot be used.
    """
    last, weights = run_folder / LAST, run_folder / WEIGHTS_FILE
    begun = load_trained(last) if last.exists() else None
    if begun is not None:
        check_same_run(config, begun.config, last)
        if weights.exists():
            save_trained(weights, replace(load_trained(weights), config=config))  # its description may have changed
            print(f"{weights}: this run is finished, nothing is trained. To train anew, give another --run folder.")
            return weights
    lightning.seed_everything(config.seed, workers=True)
    rows, sources, image_diameters = read_sources(config, root)
    facts = training_facts(config, rows, sources, image_diameters)
    if begun is not None and begun.facts.get("data") != facts["data"]:
        raise ConfigError(
            f"{last} was trained on other images or labels than {root} holds now. To train on these, give another "
            "--run folder or move that one away."
        )
    facts["commit"] = (begun.facts.get("commit") if begun else None) or current_commit(Path(__file__).parent)
    if config.start_from:
        facts["start_from"] = {"name": config.start_from, "sha256": sha256(find_weights(config.start_from))}
    run_folder.mkdir(parents=True, exist_ok=True)
    task = SegmentationTask(config, facts)
    waiting = WaitingTime()
    sample = validation_sample(config, root)
    trainer = build_trainer(
        config,
        run_folder,
        [ValidationScores(config, sample, set_diameters(config, facts)), *early_stopping(config), waiting],
    )
    trainer.fit(task, PatchData(config, sources), ckpt_path=last if begun else None, weights_only=True)
    if trainer.is_global_zero:
        network = task.network.cpu().eval()
        if config.early_stopping_patience:
            network = load_trained(run_folder / BEST).network
        save_trained(weights, TrainedNetwork(network, config, {**facts, "steps": trainer.global_step}))
        print(
            f"{waiting.share:.1%} of the training time was spent waiting for patches ({config.workers} workers, "
            f"{waiting.waiting_s:.0f} of {waiting.waiting_s + waiting.working_s:.0f} s)"
        )
    return weights


def read_sources(config: TrainingConfig, root: Path) -> tuple[list[list[IndexRow]], list[list[Patch]], list[float]]:
    """Read all training images, normalized and scaled.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.

    Returns
    -------
    rows, sources : list of list
        By data set: the images' rows in the index, and the images themselves.
    image_diameters : list of float
        The median diameter of each set's objects before scaling, pixels.
    """
    rows = rows_of_split(config.data, root, "train")
    sources, image_diameters = [], []
    for source, source_rows in zip(config.data, rows, strict=True):
        images = [read_labeled_image(row) for row in source_rows]
        diameter = median_diameter([object_diameters(image.labels) for image in images], source.folder)
        scale = config.diameter_px / diameter if config.diameter_px else 1.0
        sources.append([normalized_patch(image, config, scale) for image in images])
        image_diameters.append(diameter)
    return rows, sources, image_diameters


def build_trainer(
    config: TrainingConfig, run_folder: Path, callbacks: Sequence[lightning.Callback]
) -> lightning.Trainer:
    """Make lightning's trainer for a run.

    Parameters
    ----------
    config : TrainingConfig
    run_folder : Path
    callbacks : sequence of Callback
        What comes before the checkpoint, the logs and the progress bar.

    Returns
    -------
    lightning.Trainer
    """
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
            LearningRateMonitor("step"),
            # Lightning saves last, after all that is logged at the end of an epoch.
            MovableCheckpoint(
                run_folder,
                filename=Path(BEST).stem,
                monitor=VALIDATION_SCORE,
                mode="max",
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
            # One of its own: with `save_last` lightning writes the last only where it is also the best.
            MovableCheckpoint(
                run_folder, filename=Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False
            ),
            Curves(run_folder),
            TQDMProgressBar(refresh_rate=20),
        ],
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


def early_stopping(config: TrainingConfig) -> list[lightning.Callback]:
    """Return lightning's early stopping on the validation score, or nothing if the configuration has no patience."""
    if not config.early_stopping_patience:
        return []
    return [
        LastingStop(
            VALIDATION_SCORE, mode="max", patience=config.early_stopping_patience, check_on_train_epoch_end=True
        )
    ]


def check_same_run(config: TrainingConfig, config_of_checkpoint: TrainingConfig, checkpoint: Path) -> None:
    """Raise ConfigError if a checkpoint belongs to a run of another configuration."""
    before, now = without_description(config_of_checkpoint), without_description(config)
    if before != now:
        different = [field.name for field in fields(now) if getattr(before, field.name) != getattr(now, field.name)]
        raise ConfigError(
            f"{checkpoint} is of a run with another {', '.join(different)}. To go on with it, use its configuration; "
            "to begin anew, give another --run folder or move that one away."
        )


def validation_sample(config: TrainingConfig, root: Path) -> list[list[IndexRow]]:
    """Choose the same few validation images of each set at every validation, evenly over their index."""
    sets = rows_of_split(config.data, root, "val")
    return [rows[:: -(-len(rows) // config.validation_images)] for rows in sets]
