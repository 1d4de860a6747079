"""What happens around the training steps: validation, checkpoints, early stopping, curves, and time spent waiting."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, WeightAveraging
from lightning.pytorch.plugins.io import TorchCheckpointIO

from cpunet.files.written_beside import written_beside
from cpunet.interruption import stop_if_requested
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.scores import SetScores, pool_scores
from cpunet.training.config import TrainingConfig
from cpunet.training.curves import START_METRIC, draw_curves
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.torch_model import TorchModel, card_for_training, score_images
from cpunet.training.evaluation.validation_loss import mean_loss, validation_batches
from cpunet.training.facts import START_SCORE
from cpunet.training.optimizers import VALIDATION_LOSS, VALIDATION_SCORE, judging_metric


class ValidationScores(lightning.Callback):
    """Segment and score whole validation images at each checkpoint, by the code that the module runs.

    Parameters
    ----------
    config : TrainingConfig
    sets : sequence of sequence of IndexRow
        Validation images of each data set.
    diameters : sequence of float or None
        The typical diameter in each set's images, pixels; None where images keep their size.
    """

    def __init__(
        self, config: TrainingConfig, sets: Sequence[Sequence[IndexRow]], diameters: Sequence[float | None]
    ) -> None:
        self.config = config
        self.sets = sets
        self.diameters = diameters
        self.batches = validation_batches(config, sets, diameters) if config.validation_loss else []

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Score the model that is fine-tuned before the first step: what training has to beat."""
        if not pl_module.can_score_start or START_SCORE in pl_module.facts["start_from"]:
            return
        if trainer.is_global_zero:
            number = sum(len(rows) for rows in self.sets)
            print(f"scoring the model you start from on {number} validation images", flush=True)
        score = self._scores(trainer, pl_module).mean_f1
        pl_module.facts["start_from"][START_SCORE] = round(score, 4)
        for logger in trainer.loggers:
            logger.log_metrics({START_METRIC: score}, step=0)
        if trainer.is_global_zero:
            print(f"the model you start from: {score:.3f} (mean F1 of the validation images)", flush=True)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Log the pooled scores, and the loss if it is wanted."""
        averaging = [callback for callback in trainer.callbacks if isinstance(callback, WeightAveraging)]
        for callback in averaging:
            callback.on_validation_epoch_start(trainer, pl_module)  # the average's weights, which checkpoints hold
        found = self.measured(trainer, pl_module)
        if self.batches:
            found[VALIDATION_LOSS] = float(
                trainer.strategy.broadcast(mean_loss(pl_module.network, pl_module.loss, self.batches))
            )
        for callback in averaging:
            callback.on_validation_epoch_end(trainer, pl_module)
        for name, value in found.items():
            pl_module.log(name, value, prog_bar=name == VALIDATION_SCORE)
        for schedule in trainer.lr_scheduler_configs:
            if schedule.reduce_on_plateau:
                schedule.scheduler.step(found[judging_metric(self.config)[0]])

    def measured(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> dict[str, float]:
        """Return the scores of the validation images, by the names under which they are logged."""
        scores = self._scores(trainer, task)
        return {VALIDATION_SCORE: scores.mean_f1, "val_mean_average_precision": scores.mean_average_precision}

    def model_of(self, task: lightning.LightningModule) -> Model:
        """Give the network in training the interface of an exported model."""
        return TorchModel(task.network, self.config, card_for_training(self.config))

    def _scores(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> SetScores:
        model = self.model_of(task)
        images = [
            score
            for rows, diameter in zip(self.sets, self.diameters, strict=True)
            # The diameter is not measured on predictions: an untrained network finds no objects.
            for score in score_images(model, rows, Options(diameter_px=diameter, scale=None if diameter else 1.0))
        ]
        # Batch normalization differs a little between devices; all must take the same decisions.
        scores: SetScores = trainer.strategy.broadcast(pool_scores(images))
        return scores


class StopsBetweenSteps(lightning.Callback):
    """End a run that was asked to end (`cpunet.interruption.held_back`) before or after a step, and nowhere within."""

    def on_train_batch_start(self, *_: Any) -> None:
        """Raise the interruption that was asked for, if any."""
        stop_if_requested()

    def on_train_batch_end(self, *_: Any) -> None:
        """Raise the interruption that was asked for, if any."""
        stop_if_requested()


class LastingStop(EarlyStopping):
    """Early stopping that a resumed run remembers."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop at once if the run had stopped before it was killed."""
        trainer.should_stop = self.wait_count >= self.patience


class MovableCheckpoint(ModelCheckpoint):
    """A checkpoint callback that remembers the best score even if the run's folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a stopped run, with the folder where it is now."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


class CheckpointsWrittenBeside(TorchCheckpointIO):
    """Write checkpoints in the run's folder and rename them; lightning moves them from /tmp, which may be cut short."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, whole or not at all."""
        with written_beside(Path(path)) as beside:
            torch.save(checkpoint, beside)


class Curves(lightning.Callback):
    """Draw the run's loss and validation scores after each validation.

    Parameters
    ----------
    folder : Path
        The run's folder; holds logs/version_N/metrics.csv and gets curves.png.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_fit_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Draw the finished run."""
        if trainer.is_global_zero:
            draw_curves(self.folder)

    def on_train_epoch_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Draw the run so far."""
        if trainer.is_global_zero and trainer.global_step:
            draw_curves(self.folder)


class WaitingTime(lightning.Callback):
    """Measure which part of the training time is spent waiting for patches.

    Attributes
    ----------
    waiting_s, working_s : float
        Seconds between the end of one step and the batch for the next, and seconds of the steps themselves.
        Validation counts as neither.
    """

    def __init__(self) -> None:
        self.waiting_s = 0.0
        self.working_s = 0.0
        self._since = time.perf_counter()

    @property
    def share(self) -> float:
        """Waiting time over all time, 0..1."""
        total = self.waiting_s + self.working_s
        return self.waiting_s / total if total else 0.0

    def said(self, workers: int) -> str:
        """Say it, with the number of processes that prepared the patches."""
        return (
            f"{self.share:.1%} of the training time was spent waiting for patches ({workers} workers, "
            f"{self.waiting_s:.0f} of {self.waiting_s + self.working_s:.0f} s)"
        )

    def on_train_epoch_start(self, *_: Any) -> None:
        """Begin to wait for an epoch's first batch."""
        self._since = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        """End waiting, begin to work."""
        now = time.perf_counter()
        self.waiting_s += now - self._since
        self._since = now

    def on_train_batch_end(self, *_: Any) -> None:
        """End working, begin to wait."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # a step that is still on the GPU is work, not waiting
        now = time.perf_counter()
        self.working_s += now - self._since
        self._since = now
