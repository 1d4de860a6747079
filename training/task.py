"""What one training step does: a LightningModule around the network, its loss and its optimizer."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch import Tensor

from cpunet.errors import ConfigError
from cpunet.training.config import TrainingConfig, config_to_dict
from cpunet.training.distillation import load_teachers, taught_targets
from cpunet.training.fine_tune import (
    freeze_encoder,
    keep_statistics,
    load_start,
    network_to_average,
    trainable_parameters,
    transfer_weights,
)
from cpunet.training.network.build import build_network
from cpunet.training.network.encoders.pretrained import find_pretrained, load_pretrained
from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.optimizers import build_optimizer, build_schedule
from cpunet.training.patches.stream import Item
from cpunet.training.weights import CONFIG_KEY, FACTS_KEY

# More than any run has steps, so that no two devices share a seed.
DEVICE_SEEDS = 10**8


class TrainingTask(lightning.LightningModule):
    """What trainings of all kinds of networks share: the optimizer, its schedule, and what a checkpoint says.

    Parameters
    ----------
    config : TrainingConfig, DetectionConfig or VolumeConfig
    facts : dict
        See `cpunet.training.facts`.
    network : Module

    Attributes
    ----------
    config_key : str
        Under which a checkpoint has the configuration.
    memory_format : torch.memory_format
        How the network wants its batches.
    """

    config_key: str
    memory_format = torch.channels_last

    def __init__(self, config: Any, facts: dict[str, Any], network: torch.nn.Module) -> None:
        super().__init__()
        self.config = config
        self.facts = facts
        self.network = network

    def configure_optimizers(self) -> Any:
        """Return the optimizer and the schedule of the configuration."""
        optimizer = build_optimizer(trainable_parameters(self.network), self.config)
        schedule = build_schedule(optimizer, self.config)
        return {"optimizer": optimizer, "lr_scheduler": schedule} if schedule else optimizer

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step all schedules but the plateau, which `ValidationScores` steps before the checkpoint is written."""
        if metric is None:
            scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store configuration and facts as plain content beside the weights."""
        checkpoint[FACTS_KEY] = self.facts
        checkpoint[self.config_key] = config_to_dict(self.config)


class SegmentationTask(TrainingTask):
    """A U-Net with its loss and optimizer.

    Parameters
    ----------
    config : TrainingConfig
    facts : dict
        See `cpunet.training.facts`.
    """

    config_key = CONFIG_KEY

    def __init__(self, config: TrainingConfig, facts: dict[str, Any]) -> None:
        super().__init__(config, facts, build_network(config))
        # Whether the network finds the objects of the model that it starts from: no channel begins at random.
        self.can_score_start = False
        if config.start_from:
            transfer = transfer_weights(self.network, config, load_start(config))
            if transfer.new_input and config.frozen == "encoder":
                raise ConfigError(
                    f"frozen: {config.start_from} has another number of image channels, so the first convolution "
                    "starts with random weights and must be trained. Leave frozen out."
                )
            self.can_score_start = not transfer.new_roles and not transfer.new_input
            if config.start_share:
                network_to_average(config)  # if there is none, that is said before the training
            print(f"starting from {config.start_from}: {transfer}")
        if config.pretrained:
            path = find_pretrained(config.architecture.encoder, config.pretrained)
            print(f"pretrained encoder: {load_pretrained(self.network, path)} tensors from {path}")
        if config.frozen == "encoder":
            freeze_encoder(self.network)
        self.network = self.network.to(memory_format=torch.channels_last)
        self.loss = SegmentationLoss(config.loss, config.targets)
        # A list is no part of this module: teachers are not trained and not in checkpoints.
        self.teachers = load_teachers(config)

    def on_fit_start(self) -> None:
        """Bring the teachers to the device."""
        for teacher in self.teachers:
            teacher.to(self.device, memory_format=torch.channels_last)

    def on_train_epoch_start(self) -> None:
        """Keep a frozen encoder in evaluation mode: lightning puts the whole network into training mode."""
        if self.config.frozen == "encoder":
            keep_statistics(self.network)

    def on_train_batch_start(self, batch: Item, batch_index: int) -> None:
        """Seed dropout by the step, so that a resumed run drops the same features."""
        torch.manual_seed(self.config.seed + self.trainer.global_step + DEVICE_SEEDS * self.trainer.global_rank)

    def training_step(self, batch: Item, batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        image, targets, weights = batch
        image = image.to(memory_format=torch.channels_last)
        activation, share = self.config.targets.activation, self.config.teacher_share
        targets = taught_targets(image, targets, self.teachers, activation, share)
        loss: Tensor = self.loss(self.network(image), targets, weights)
        self.log("loss", loss, prog_bar=True)
        return loss
