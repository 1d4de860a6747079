"""Charts of an evaluation: F1 against IoU, recall by bins, and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cpunet.scores import IOU_THRESHOLDS
from cpunet.training.evaluation.object_scores import RECALL_THRESHOLDS, BinRecall
from cpunet.training.evaluation.scored_images import ScoredMethod

# Okabe and Ito's colors, which color-blind readers can distinguish; style and marker differ too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def f1_figure(methods: Sequence[ScoredMethod]) -> Figure:
    """Draw F1 against the IoU that a match must exceed, one line a method."""
    figure = Figure(figsize=(6.4, 4.2))
    axes = figure.subplots()
    for number, method in enumerate(methods):
        axes.plot(IOU_THRESHOLDS, [method.pooled.f1[threshold] for threshold in IOU_THRESHOLDS], **_look(number))
    axes.set(xlabel="IoU that a match must exceed", ylabel="F1", ylim=(0, 1.02), xticks=IOU_THRESHOLDS[::2])
    axes.grid(alpha=0.3)
    _name_methods(axes, methods)
    return figure


def recall_figure(methods: Sequence[ScoredMethod], recalls: Mapping[str, Sequence[Sequence[BinRecall]]]) -> Figure:
    """Draw the share of true objects found in each bin: one column a property, one row an IoU threshold.

    `recalls` holds, by the title of the property, a list of bins for each method.
    """
    figure = Figure(figsize=(4.0 * len(recalls), 6.4), layout="constrained")
    grid = figure.subplots(len(RECALL_THRESHOLDS), len(recalls), sharey=True, sharex="col", squeeze=False)
    for column, (title, of_methods) in zip(grid.T, recalls.items(), strict=True):
        for axes, threshold in zip(column, RECALL_THRESHOLDS, strict=True):
            for number, bins in enumerate(of_methods):
                heights = [each.recall[threshold] for each in bins]
                axes.plot(range(len(bins)), heights, **_look(number))
            axes.set(ylim=(0, 1.02))
            axes.grid(alpha=0.3)
        column[-1].set_xticks(range(len(of_methods[0])), [each.name for each in of_methods[0]], rotation=30, ha="right")
        column[-1].set_xlabel(title)
    for axes, threshold in zip(grid[:, 0], RECALL_THRESHOLDS, strict=True):
        axes.set_ylabel(f"recall at IoU {threshold}")
    _name_methods(grid[0, -1], methods)
    return figure


def count_figure(methods: Sequence[ScoredMethod]) -> Figure:
    """Draw the number of predicted against true objects, one point an image."""
    figure = Figure(figsize=(4.8, 4.8))
    axes = figure.subplots()
    largest = 1
    for number, method in enumerate(methods):
        true = [image.scores.truth_count for image in method.images]
        found = [image.scores.prediction_count for image in method.images]
        largest = max(largest, *true, *found)
        look = {**_look(number), "linestyle": "none", "markerfacecolor": "none"}
        axes.plot(true, found, **look)
    axes.plot((0, largest), (0, largest), color="gray", linewidth=1, zorder=0)
    axes.set(xlabel="true objects in the image", ylabel="objects found", aspect="equal")
    axes.grid(alpha=0.3)
    _name_methods(axes, methods)
    return figure


def _look(number: int) -> dict[str, str]:
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": STYLES[number % len(STYLES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def _name_methods(axes: Axes, methods: Sequence[ScoredMethod]) -> None:
    """Add a legend beside the plot; names are set as they are, though one may begin with _ or hold a formula's $."""
    legend = axes.legend(
        axes.get_lines()[: len(methods)], ["name"] * len(methods), loc="upper left", bbox_to_anchor=(1.02, 1)
    )
    for text, method in zip(legend.get_texts(), methods, strict=True):
        text.set_parse_math(False)
        text.set_text(method.name)
