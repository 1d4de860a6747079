"""What a run says of itself: how long it waited for data, and a picture of its curves."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from matplotlib.figure import Figure

from cpunet.files.images import written_beside

CURVES_FILE = "curves.png"


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


class Curves(lightning.Callback):
    """Draw the run's loss and validation score after each validation.

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
        """Draw what there is so far."""
        if trainer.is_global_zero and trainer.global_step:
            draw_curves(self.folder)


def read_metrics(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read what all starts of a run have logged.

    Parameters
    ----------
    folder : Path
        The run's folder.

    Returns
    -------
    dict of str to list of (step, value)
        By metric, in the order of the steps; of a step that was logged twice, since a run was killed after it, the
        later start counts.
    """
    found: dict[str, dict[int, float]] = {}
    files = sorted(folder.glob("logs/version_*/metrics.csv"), key=lambda path: int(path.parent.name.split("_")[1]))
    for path in files:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                for name, value in row.items():
                    if name not in ("step", "epoch") and value and row["step"]:  # a full disk cuts the last line
                        found.setdefault(name, {})[int(row["step"])] = float(value)
    return {name: sorted(values.items()) for name, values in found.items()}


def draw_curves(folder: Path) -> Path | None:
    """Draw loss, learning rate and validation score against the step.

    Parameters
    ----------
    folder : Path
        The run's folder.

    Returns
    -------
    Path or None
        curves.png; None if nothing was logged yet.
    """
    metrics = read_metrics(folder)
    if not metrics:
        return None
    path = folder / CURVES_FILE
    with written_beside(path) as beside:
        curves_figure(metrics).savefig(beside, dpi=110)
    return path


def curves_figure(metrics: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """Return a figure of a run: the loss above, the validation scores below.

    Parameters
    ----------
    metrics : mapping of str to sequence of (step, value)
        See `read_metrics`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(8, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    groups = {upper: {"loss": "loss"}, lower: {"val_mean_f1": "mean F1", "val_mean_average_precision": "mAP"}}
    for axes, names in groups.items():
        for name, label in names.items():
            if name in metrics:
                steps, values = zip(*metrics[name], strict=True)
                axes.plot(steps, values, label=label, marker="." if len(steps) < 60 else "")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    upper.set_ylabel("loss of the training patches")
    if upper.lines and min(value for _, value in metrics["loss"]) > 0:
        upper.set_yscale("log")
    rates = next((values for name, values in metrics.items() if name.startswith("lr-")), None)
    if rates:
        rate_axes = upper.twinx()
        rate_axes.plot(*zip(*rates, strict=True), color="0.6", linestyle="--")
        rate_axes.set_ylabel("learning rate (dashed)")
    lower.set_ylabel("score of the validation images")
    lower.set_xlabel("step")
    lower.set_ylim(0, 1)
    return figure
