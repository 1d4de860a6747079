"""Pictures of an evaluation: F1 against IoU, recall by bins, counts, and what was found and missed in an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from cpunet.files.overlay import Color, gray_picture
from cpunet.scores import IOU_THRESHOLDS, judged, overlap
from cpunet.training.evaluation.object_scores import RECALL_THRESHOLDS, BinRecall
from cpunet.training.evaluation.scored_images import OUTCOME_THRESHOLD, ScoredMethod

FOUND: Color = (0, 205, 80)
FALSE_POSITIVE: Color = (255, 45, 45)
FALSE_NEGATIVE: Color = (70, 130, 255)
# Color, style of the outline, and what it means; who cannot tell red from green goes by the areas and the dashes.
LEGEND = (
    (FOUND, "solid", "green outline, no area: found (true positive)"),
    (FALSE_POSITIVE, "solid", "red area, solid outline: found, but there is no such object (false positive)"),
    (FALSE_NEGATIVE, "dashed", "blue area, dashed outline: a true object that was missed (false negative)"),
)
FILL = 0.35
DASH_PX = 3
# The width of a picture on the page; a gallery of a dozen such stays below some megabytes.
WINDOW_PX = 352
WINDOW_DIAMETERS = 10
# Camera noise in the lowest bits is invisible, and most of a PNG's size.
GRAY_STEP = 8

# Okabe and Ito's colors, which color-blind readers can distinguish; style and marker differ too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


class Outcomes(NamedTuple):
    """The objects of an image by what became of them, each a label image (Y, X).

    Attributes
    ----------
    found, false_positive : ndarray
        Predicted objects with and without a true partner.
    false_negative : ndarray
        True objects without a partner.
    """

    found: NDArray[np.integer]
    false_positive: NDArray[np.integer]
    false_negative: NDArray[np.integer]


class Window(NamedTuple):
    """The part of an image that is shown: a square, or less where the image ends, of each `step`-th pixel."""

    rows: slice
    columns: slice
    step: int


def outcomes(truth: NDArray[np.integer], prediction: NDArray[np.integer]) -> Outcomes:
    """Sort objects into true positives, false positives and false negatives at `OUTCOME_THRESHOLD`."""
    truth, prediction = judged(truth, prediction)
    hit = overlap(truth, prediction).iou > OUTCOME_THRESHOLD
    truth_ids, prediction_ids = (np.unique(labels[labels != 0]) for labels in (truth, prediction))
    found = np.isin(prediction, prediction_ids[hit.any(axis=0)])
    return Outcomes(
        found=np.where(found, prediction, 0),
        false_positive=np.where(found, 0, prediction),
        false_negative=np.where(np.isin(truth, truth_ids[~hit.any(axis=1)]), truth, 0),
    )


def worst_window(wrong: NDArray[np.bool_], diameter_px: float) -> Window:
    """Choose the part of an image with the most wrong pixels.

    Parameters
    ----------
    wrong : ndarray of shape (Y, X), bool
        Pixels of false positives and false negatives.
    diameter_px : float
        Typical diameter of the objects; the window is `WINDOW_DIAMETERS` of them wide, and `WINDOW_PX` at least.

    Returns
    -------
    Window
        Thinned so that at most `WINDOW_PX` pixels a side are shown.
    """
    side = max(WINDOW_PX, round(WINDOW_DIAMETERS * diameter_px))
    height, width = min(side, wrong.shape[0]), min(side, wrong.shape[1])
    sums = np.pad(wrong.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = (int(start) for start in np.unravel_index(inside.argmax(), inside.shape))
    return Window(slice(top, top + height), slice(left, left + width), -(-max(height, width) // WINDOW_PX))


def outcome_picture(image: NDArray[np.generic], window: Window, shown: Outcomes) -> NDArray[np.uint8]:
    """Draw what was found, invented and missed over the gray image.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
        Whole, since its contrast is that of all its pixels.
    window : Window
    shown : Outcomes
        Of the whole image.

    Returns
    -------
    ndarray of shape (y, x, 3), uint8
        True positives as a green outline; false positives as a red area and outline; false negatives as a blue
        area with a dashed outline. Red over blue means that something was found there, but not well enough.
    """
    rows, columns, step = window
    thinned = Outcomes(*(labels[rows, columns][::step, ::step] for labels in shown))
    gray = gray_picture(image)[rows, columns]
    if step > 1:
        gray = resize(gray, (*thinned.found.shape, 3), order=1, anti_aliasing=True, preserve_range=True)
    drawn = gray // GRAY_STEP * float(GRAY_STEP)
    for labels, color in ((thinned.false_negative, FALSE_NEGATIVE), (thinned.false_positive, FALSE_POSITIVE)):
        drawn[labels != 0] = (1 - FILL) * drawn[labels != 0] + FILL * np.array(color)
    y, x = np.indices(drawn.shape[:2])
    dashes = (y + x) // DASH_PX % 2 == 0
    drawn[find_boundaries(thinned.found, mode="inner")] = FOUND
    drawn[find_boundaries(thinned.false_positive, mode="inner")] = FALSE_POSITIVE
    drawn[find_boundaries(thinned.false_negative, mode="inner") & dashes] = FALSE_NEGATIVE
    return drawn.astype(np.uint8)


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
