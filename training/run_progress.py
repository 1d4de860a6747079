"""Say how far a training run is: its step of all steps, the loss, the score, and how long it still takes."""

from __future__ import annotations

from typing import Any

import lightning

from cpunet.progress import Progress
from cpunet.training.curves import SEG_METRIC
from cpunet.training.optimizers import VALIDATION_LOSS, VALIDATION_SCORE


class RunProgress(lightning.Callback):
    """A bar over the whole run on a terminal, and a line that stays at each validation.

    Parameters
    ----------
    steps : int
        Of the whole run.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._progress: Progress | None = None

    def on_train_start(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Begin to measure time; steps of an earlier start do not count."""
        if trainer.is_global_zero:
            self._progress = Progress("training: step", self.steps, trainer.global_step)

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Move the bar."""
        if self._progress is not None:
            self._progress.show(trainer.global_step, _measured(trainer))

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Say what the validation has found."""
        if self._progress is not None:
            self._progress.tell(trainer.global_step, _measured(trainer))

    def on_train_end(self, *_: Any) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.end()


def _measured(trainer: lightning.Trainer) -> str:
    found = trainer.callback_metrics
    texts = [f"loss {float(found['loss']):.3f}"] if "loss" in found else []
    if VALIDATION_LOSS in found:
        texts.append(f"loss of the validation images {float(found[VALIDATION_LOSS]):.3f}")
    if VALIDATION_SCORE in found:
        texts.append(f"mean F1 of the validation images {float(found[VALIDATION_SCORE]):.3f}")
    if SEG_METRIC in found:
        texts.append(f"SEG {float(found[SEG_METRIC]):.3f}")
    return ", ".join(texts)
