"""What one training step of Mask R-CNN does: a LightningModule around the network, its losses and its optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cpunet.training.detection.config import DetectionConfig
from cpunet.training.detection.network import build_detector
from cpunet.training.task import TrainingTask
from cpunet.training.weights import DETECTION_KEY

Batch = tuple[list[Tensor], list[dict[str, Tensor]]]


class DetectionTask(TrainingTask):
    """Mask R-CNN with its losses and optimizer.

    Parameters
    ----------
    config : DetectionConfig
    facts : dict
        See `cpunet.training.facts`.

    Notes
    -----
    The loss is the sum of torchvision's five: of the proposed regions and of the objects, how sure they are and where
    they lie, and the masks. He et al. 2017, doi:10.1109/ICCV.2017.322.
    """

    config_key = DETECTION_KEY
    # Objects and background are learned anew, so that the model to start from finds no nuclei.
    can_score_start = False

    def __init__(self, config: DetectionConfig, facts: dict[str, Any]) -> None:
        super().__init__(config, facts, build_detector(config.detector))

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Seed the choice of regions to learn from by the step, so that a resumed run chooses the same."""
        torch.manual_seed(self.config.seed + self.trainer.global_step)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        images, objects = batch
        losses = self.network(images, objects)
        loss: Tensor = torch.stack(list(losses.values())).sum()
        self.log("loss", loss, prog_bar=True, batch_size=len(images))
        for name, value in losses.items():
            self.log(name, value, batch_size=len(images))
        return loss

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Shorten long gradients: the first steps from random weights would lead astray."""
        self.clip_gradients(optimizer, gradient_clip_val=self.config.gradient_norm, gradient_clip_algorithm="norm")
