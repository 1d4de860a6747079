"""Score whole validation volumes during a training."""

from __future__ import annotations

from collections.abc import Sequence

import lightning

from cpunet.interruption import stop_if_requested
from cpunet.scores import SetScores, pool_scores, score_image
from cpunet.training.callbacks import ValidationScores
from cpunet.training.patches.patch import Patch
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.evaluation.segment import segment_prepared
from cpunet.training.volumes.evaluation.torch_model import TorchVolumeModel, card_for_volume_training


class VolumeScores(ValidationScores):
    """Segment and score whole validation volumes at each checkpoint.

    Parameters
    ----------
    config : VolumeConfig
    volumes : sequence of Patch
        Whole volumes, normalized and scaled.
    """

    def __init__(self, config: VolumeConfig, volumes: Sequence[Patch]) -> None:
        super().__init__(config, (), ())
        self.volumes = volumes

    def _scores(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> SetScores:
        model = TorchVolumeModel(task.network, self.config, card_for_volume_training(self.config))
        scores = []
        for volume in self.volumes:
            stop_if_requested()
            scores.append(score_image(volume.labels, segment_prepared(volume.image, model)))
        return pool_scores(scores)
