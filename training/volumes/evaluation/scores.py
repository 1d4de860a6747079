"""Score whole validation volumes during a training, by the path that the module runs."""

from __future__ import annotations

from collections.abc import Sequence

import lightning
import numpy as np
from numpy.typing import NDArray

from cpunet.interruption import stop_if_requested
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.training.callbacks import ValidationScores
from cpunet.training.curves import FOREGROUND_METRIC, SEG_METRIC
from cpunet.training.data.ignored_pixels import with_ignored
from cpunet.training.optimizers import VALIDATION_SCORE
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.data.labeled_volumes import LabeledVolume, read_labeled_volume
from cpunet.training.volumes.evaluation.torch_model import TorchVolumeModel, card_for_volume_training
from cpunet.volume_scores import VolumeScores, mean_of_volumes, score_volume
from cpunet.volumes.segment_volume import segment_volume


class ValidationVolumes(ValidationScores):
    """Segment and score whole validation volumes at each checkpoint.

    Parameters
    ----------
    config : VolumeConfig
        Resolved.
    sets : sequence of sequence of LabeledVolume
        Validation volumes of each data set.
    diameters : sequence of float or None
        The typical diameter in each set's volumes, widths of a pixel; None where they keep their size.
    """

    def __init__(
        self, config: VolumeConfig, sets: Sequence[Sequence[LabeledVolume]], diameters: Sequence[float | None]
    ) -> None:
        super().__init__(config, sets, diameters)  # type: ignore[arg-type]

    def model_of(self, task: lightning.LightningModule) -> Model:
        """Give the network in training the interface of an exported model."""
        return TorchVolumeModel(task.network, self.config, card_for_volume_training(self.config))

    def measured(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> dict[str, float]:
        """Return the scores of the validation volumes, by the names under which they are logged."""
        model = self.model_of(task)
        scored = []
        for rows, diameter in zip(self.sets, self.diameters, strict=True):
            for row in rows:
                stop_if_requested()
                # The diameter is not measured on predictions: an untrained network finds no objects.
                options = Options(diameter_px=diameter, scale=None if diameter else 1.0, z_step_px=row.z_step_px)
                image, truth = read_truth(row)
                scored.append(scores_of(truth, segment_volume(image, model, options).labels))
        pooled = pool_scores([each for each, _ in scored])
        volumes = mean_of_volumes([each for _, each in scored])
        return {
            VALIDATION_SCORE: pooled.mean_f1,
            "val_mean_average_precision": pooled.mean_average_precision,
            SEG_METRIC: volumes.seg,
            FOREGROUND_METRIC: volumes.iou,
        }


def read_truth(row: LabeledVolume) -> tuple[NDArray[np.generic], NDArray[np.int32]]:
    """Read a volume and its labels, with `cpunet.scores.IGNORED` where nobody labeled; DataError if that fails."""
    image, labels, known = read_labeled_volume(row)
    return image, labels if known is None else with_ignored(labels, ~known)


def scores_of(truth: NDArray[np.int32], found: NDArray[np.int32]) -> tuple[ImageScores, VolumeScores]:
    """Compare the labels (Z, Y, X) of a volume with the truth: by matched objects, and as BBBC050 is scored."""
    return score_image(truth, found), score_volume(truth, found)
