"""What one training step on volumes does: a LightningModule around the network, its loss and its optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.patches.stream import Item
from cpunet.training.task import TrainingTask
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.weights import build_volume_network
from cpunet.training.weights import VOLUME_KEY


class VolumeTask(TrainingTask):
    """A 3-D U-Net with its loss and optimizer.

    Parameters
    ----------
    config : VolumeConfig
        Resolved.
    facts : dict
        See `cpunet.training.volumes.facts`.
    """

    config_key = VOLUME_KEY
    memory_format = torch.channels_last_3d
    can_score_start = False

    def __init__(self, config: VolumeConfig, facts: dict[str, Any]) -> None:
        network = build_volume_network(config).to(memory_format=self.memory_format)
        super().__init__(config, facts, network)
        self.loss = SegmentationLoss(config.loss, config.targets)

    def on_train_batch_start(self, batch: Item, batch_index: int) -> None:
        """Seed dropout by the step, so that a resumed run drops the same features."""
        torch.manual_seed(self.config.seed + self.trainer.global_step)

    def training_step(self, batch: Item, batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        volume, targets, weights = batch
        volume = volume.to(memory_format=self.memory_format)
        loss: Tensor = self.loss(self.network(volume), targets, weights)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Shorten long gradients: a step on few patches would lead astray."""
        self.clip_gradients(optimizer, gradient_clip_val=self.config.gradient_norm, gradient_clip_algorithm="norm")
