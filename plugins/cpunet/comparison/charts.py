"""Charts of a comparison: counts of the fields, areas and mean intensities of the objects that both found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.comparison.compared_fields import Comparison
from cpunet.comparison.in_short import counted
from cpunet.conversion.saved import PRIMARY, UNET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's blue and vermilion, which color-blind readers can distinguish.
POINTS, EQUAL = "#0072B2", "#D55E00"
DOTS_PER_INCH = 160


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw three scatters, IdentifyPrimaryObjects to the right and IdentifyObjectsUNet upward."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.6, 4.4), layout="constrained", dpi=DOTS_PER_INCH)
    left, middle, right = figure.subplots(1, 3)
    counts = np.array([(each.primary_count, each.unet_count) for each in comparison.fields], float)
    fields, objects = len(counts), len(comparison.areas)
    _scatter(left, counts, f"Objects in a field ({counted(fields, 'field')})", 22, 0.7)
    faint = float(np.clip(150 / np.sqrt(max(1, objects)) / 10, 0.12, 0.7))
    of_both = f"({counted(objects, 'object')} found by both)"
    _scatter(middle, comparison.areas, f"Area in pixels {of_both}", 7, faint)
    _scatter(right, comparison.intensities, f"Mean intensity {of_both}", 7, faint)
    return figure


def _scatter(axes: Axes, points: npt.NDArray[np.float64], title: str, size: float, alpha: float) -> None:
    """Draw the points, as an image since there may be many thousand, and the line on which both agree."""
    low, high = _limits(points)
    axes.plot((low, high), (low, high), color=EQUAL, linewidth=1.2, zorder=3)
    axes.scatter(points[:, 0], points[:, 1], s=size, color=POINTS, alpha=alpha, linewidths=0, rasterized=True)
    axes.set(xlabel=PRIMARY, ylabel=UNET, xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)


def _limits(points: npt.NDArray[np.float64]) -> Tuple[float, float]:
    """Return limits for both axes that hold all points, with 0 where that costs little room."""
    if not points.size:
        return 0.0, 1.0
    low, high = float(points.min()), float(points.max())
    if 0 <= low < 0.4 * high:
        low = 0.0
    margin = 0.05 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin
