"""Draw counts over time: each well as a thin line, each group's mean with its spread."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING, List, Optional

import numpy as np
import numpy.typing as npt
import PIL.Image

from cpunet.counting.curves import FRAME, Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colors, which color-blind readers can distinguish.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":")
DOTS_PER_INCH = 130


def can_draw() -> bool:
    """Return whether matplotlib is installed, as it is with CellProfiler."""
    return importlib.util.find_spec("matplotlib") is not None


def curves_picture(curves: Curves) -> npt.NDArray[np.uint8]:
    """Draw the counts by objects on the left, and by area on the right.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 4.2), dpi=DOTS_PER_INCH, constrained_layout=True)
    left, right = figure.subplots(1, 2, sharey=True)
    groups = sorted({point.group for point in curves.groups})
    for axes, name, title in ((left, "objects", "Objects that were found"), (right, "from_area", "Objects by area")):
        for number, group in enumerate(groups):
            color = COLORS[number % len(COLORS)]
            style = STYLES[number // len(COLORS) % len(STYLES)]
            _draw_group(axes, curves, group, name, color, style)
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("Frame" if curves.unit == FRAME else "Time (hours)")
        axes.grid(alpha=0.3)
    left.set_ylabel("Objects in an image")
    left.set_ylim(bottom=0)
    flagged = [point for point in curves.wells if point.flagged]
    if flagged:
        for axes, name in ((left, "objects"), (right, "from_area")):
            heights = [getattr(point, name) for point in flagged]
            axes.plot([point.time for point in flagged], heights, "x", color="black", label="counts disagree")
    legend = left.legend(fontsize=9, loc="best", title="mean ± SD of wells" if _has_spread(curves) else None)
    legend.get_title().set_fontsize(9)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    stream.seek(0)
    with PIL.Image.open(stream) as drawn:
        return np.asarray(drawn.convert("RGB"))


def _draw_group(axes: Axes, curves: Curves, group: str, name: str, color: str, style: str) -> None:
    wells = sorted({point.well for point in curves.wells if point.group == group})
    if len(wells) > 1:
        for well in wells:
            points = [point for point in curves.wells if point.group == group and point.well == well]
            axes.plot([p.time for p in points], [getattr(p, name) for p in points], color=color, lw=0.7, alpha=0.45)
    of_group = [point for point in curves.groups if point.group == group]
    times = np.array([point.time for point in of_group])
    mean = np.array([getattr(point, name) for point in of_group])
    spread = np.array([_zero(getattr(point, f"{name}_sd")) for point in of_group])
    said = f"{len(wells)} wells" if len(wells) > 1 else wells[0]
    marker: Optional[str] = "o" if len(times) < 30 else None
    label = f"{group} ({said})" if group else said
    axes.plot(times, mean, style, color=color, lw=2, marker=marker, markersize=3.5, label=label)
    if len(wells) > 1:
        axes.fill_between(times, np.maximum(mean - spread, 0), mean + spread, color=color, alpha=0.15, linewidth=0)


def _zero(value: Optional[float]) -> float:
    return 0.0 if value is None else value


def _has_spread(curves: Curves) -> bool:
    spreads: List[Optional[float]] = [point.objects_sd for point in curves.groups]
    return any(each is not None for each in spreads)
