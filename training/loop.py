"""The training loop: a LightningModule, its data, and a run that can be stopped and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import DataLoader

from cpunet.matching import pool_scores
from cpunet.training.augmentation import Patch
from cpunet.training.config import ConfigError, TrainingConfig, config_to_dict, without_description
from cpunet.training.data import IndexRow, read_labelled_image, rows_of_split
from cpunet.training.dataset import PatchStream, normalized_patch
from cpunet.training.evaluation import TorchModel, card_for_training, score_images
from cpunet.training.facts import current_commit, training_facts
from cpunet.training.losses import SegmentationLoss
from cpunet.training.unet import UNet
from cpunet.training.weights import CONFIG_KEY, FACTS_KEY, TrainedNetwork, load_trained, save_trained


class SegmentationTask(lightning.LightningModule):
    """A U-Net with its loss and optimiser.

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
        self.network = UNet(config.architecture).to(memory_format=torch.channels_last)
        self.loss = SegmentationLoss(config.loss)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        image, targets = batch
        loss: Tensor = self.loss(self.network(image.to(memory_format=torch.channels_last)), targets)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW (doi:10.48550/arXiv.1711.05101) under a one-cycle schedule (doi:10.1117/12.2520589)."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.config.learning_rate, total_steps=self.config.steps, pct_start=0.1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store configuration and facts as plain content beside the weights."""
        checkpoint[FACTS_KEY] = self.facts
        checkpoint[CONFIG_KEY] = config_to_dict(self.config)


class PatchData(lightning.LightningDataModule):
    """Training patches, cut from images that are held in memory.

    Parameters
    ----------
    config : TrainingConfig
    sources : sequence of sequence of Patch
        Whole normalised images, by data set.
    """

    def __init__(self, config: TrainingConfig, sources: Sequence[Sequence[Patch]]) -> None:
        super().__init__()
        self.config = config
        self.sources = sources

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return the patches from the trainer's present step to its next validation."""
        assert self.trainer is not None
        done = self.trainer.global_step
        steps = min(self.config.validate_every, self.config.steps - done)
        batch_size, workers = self.config.batch_size, self.config.workers
        return DataLoader(
            PatchStream(self.sources, self.config, done * batch_size, steps * batch_size),
            batch_size=batch_size,
            num_workers=workers,
            # Forked workers share the images in memory with this process instead of copying them.
            multiprocessing_context="fork" if workers else None,
            prefetch_factor=4 if workers else None,
        )


class ValidationScores(lightning.Callback):
    """Score whole validation images, by the path that the module runs, at each checkpoint.

    Parameters
    ----------
    config : TrainingConfig
    rows : sequence of IndexRow
        Validation images.
    """

    def __init__(self, config: TrainingConfig, rows: Sequence[IndexRow]) -> None:
        self.card = card_for_training(config)
        self.rows = rows

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the pooled scores."""
        assert isinstance(pl_module, SegmentationTask)
        scores = pool_scores(score_images(TorchModel(pl_module.network, self.card), self.rows))
        pl_module.log("val_mean_f1", scores.mean_f1, prog_bar=True)
        pl_module.log("val_mean_average_precision", scores.mean_average_precision)


def train(config: TrainingConfig, root: Path, run_folder: Path) -> Path:
    """Train, or go on with training that was stopped.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    run_folder : Path
        Gets checkpoints, logs/version_N/metrics.csv and weights.safetensors. If it holds last.ckpt, the run goes
        on from there; if it holds weights.safetensors too, there is nothing left to do.

    Returns
    -------
    Path
        weights.safetensors, with the configuration and the facts of the data inside.

    Raises
    ------
    ConfigError
        If the folder holds a run of another configuration.
    DataError
        If a data set cannot be used.
    """
    last, weights = run_folder / "last.ckpt", run_folder / "weights.safetensors"
    begun = load_trained(last) if last.exists() else None
    if begun is not None:
        check_same_run(config, begun.config, last)
        if weights.exists():
            save_trained(weights, replace(load_trained(weights), config=config))  # its description may have changed
            return weights
    lightning.seed_everything(config.seed, workers=True)
    rows = rows_of_split(config.data, root, "train")
    sources = [[normalized_patch(read_labelled_image(row), config) for row in source] for source in rows]
    commit = (begun.facts.get("commit") if begun else None) or current_commit(Path(__file__).parent)
    facts = {**training_facts(config, rows, sources), "commit": commit}
    task = SegmentationTask(config, facts)
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        precision=config.precision,  # type: ignore[arg-type]
        max_steps=config.steps,
        reload_dataloaders_every_n_epochs=1,
        log_every_n_steps=20,
        logger=CSVLogger(run_folder, name="logs"),  # a folder for each start: a resumed run keeps its past
        callbacks=[
            ValidationScores(config, validation_sample(config, root)),
            ModelCheckpoint(run_folder, filename="{step}", save_last=True, save_on_train_epoch_end=True),
            TQDMProgressBar(refresh_rate=20),
        ],
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(task, PatchData(config, sources), ckpt_path=last if begun else None, weights_only=True)
    save_trained(weights, TrainedNetwork(task.network.cpu().eval(), config, facts))
    return weights


def check_same_run(config: TrainingConfig, config_of_checkpoint: TrainingConfig, checkpoint: Path) -> None:
    """Raise ConfigError if a checkpoint belongs to a run of another configuration."""
    before, now = without_description(config_of_checkpoint), without_description(config)
    if before != now:
        different = [field.name for field in fields(now) if getattr(before, field.name) != getattr(now, field.name)]
        raise ConfigError(
            f"{checkpoint} is of a run with another {', '.join(different)}. To go on with it, use its configuration; "
            "to begin anew, give another --run folder or move that one away."
        )


def validation_sample(config: TrainingConfig, root: Path) -> list[IndexRow]:
    """Choose the same few validation images of each set at every validation, evenly over their index."""
    sample = []
    for rows in rows_of_split(config.data, root, "val"):
        stride = -(-len(rows) // config.validation_images)
        sample += rows[::stride]
    return sample
