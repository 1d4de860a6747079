"""Read the logs of a run, and draw its curves into one picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cpunet.files.written_beside import written_beside

CURVES_FILE = "curves.png"
# The mean F1 of the model to start from, on the validation images.
START_METRIC = "start_mean_f1"
# Only of volumes.
SEG_METRIC, FOREGROUND_METRIC = "val_seg", "val_foreground_iou"


def read_metrics(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read the logs of all starts of a run.

    Returns
    -------
    dict of str to list of (step, value)
        By metric, in the order of the steps. If a step was logged twice, since a run was killed after it, the later
        start counts.
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
    """Draw loss, learning rate and validation scores into curves.png of a run's folder; None if nothing was logged."""
    metrics = read_metrics(folder)
    if not metrics:
        return None
    path = folder / CURVES_FILE
    with written_beside(path) as beside:
        curves_figure(metrics).savefig(beside, dpi=110)
    return path


def curves_figure(metrics: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """Return a figure of a run's metrics: the loss above, the validation scores below."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    groups = {
        upper: {"loss": "loss", "val_loss": "loss of the validation images"},
        lower: {
            "val_mean_f1": "mean F1",
            "val_mean_average_precision": "mAP",
            SEG_METRIC: "SEG",
            FOREGROUND_METRIC: "IoU of the foreground",
        },
    }
    for axes, names in groups.items():
        for name, label in names.items():
            if name in metrics:
                steps, values = zip(*metrics[name], strict=True)
                axes.plot(steps, values, label=label, marker="." if len(steps) < 60 else "")
        axes.grid(alpha=0.3)
    for _, score in metrics.get(START_METRIC, [])[:1]:
        lower.axhline(score, color="0.4", linestyle=":", label=f"the model you start from: {score:.3f}")
    for axes in groups:
        if axes.lines:
            axes.legend()
    upper.set_ylabel("loss")
    if upper.lines and min(value for name in groups[upper] for _, value in metrics.get(name, [])) > 0:
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
