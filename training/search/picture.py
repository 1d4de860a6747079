"""A picture of a search: the score of each trial over each number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from cpunet.training.search.run import COARSE, VALUES, score_of
from cpunet.training.search.space import SearchedNumber

COLUMNS, DPI = 3, 110
# What is shown beyond a range: a part of it, or a factor.
MARGIN, LOG_MARGIN = 0.05, 1.2
# Okabe and Ito's colors; markers differ too.
LOOKS = {"coarse": ("o", "#0072B2"), "fine": ("^", "#D55E00")}


def search_figure(trials: Sequence[FrozenTrial], space: Sequence[SearchedNumber], best: int, metric: str) -> Figure:
    """Draw the scores of trials over each searched number.

    Parameters
    ----------
    trials : sequence of FrozenTrial
        Those that are over; failed ones are left out.
    space : sequence of SearchedNumber
        A number that is searched on a logarithmic scale has a logarithmic axis.
    best : int
        The number of the best trial, which gets a star.
    metric : str
        What the score is, for the axis.
    """
    columns = min(COLUMNS, len(space))
    rows = -(-len(space) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, number in zip(grid.flat, space, strict=False):
        _draw(axes, trials, number, best)
    for axes in grid.flat[len(space) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel(metric)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _draw(axes: Axes, trials: Sequence[FrozenTrial], number: SearchedNumber, best: int) -> None:
    shown = [trial for trial in trials if score_of(trial) is not None]
    # Choices stand side by side in their order.
    places = {value: place for place, value in enumerate(number.choices)}
    for stage, (marker, color) in LOOKS.items():
        for state, filled, words in ((TrialState.COMPLETE, True, ""), (TrialState.PRUNED, False, ", stopped early")):
            chosen = [
                trial
                for trial in shown
                if trial.state == state and trial.user_attrs[COARSE] == (stage == "coarse") and trial.number != best
            ]
            values = [trial.user_attrs[VALUES][number.name] for trial in chosen]
            axes.plot(
                [places.get(value, value) for value in values],
                [score_of(trial) for trial in chosen],
                linestyle="none",
                marker=marker,
                color=color,
                markerfacecolor=color if filled else "none",
                label=f"{stage}{words}",
            )
    for trial in shown:
        if trial.number == best:
            value = trial.user_attrs[VALUES][number.name]
            place, score = places.get(value, value), score_of(trial)
            axes.plot([place], [score], linestyle="none", marker="*", color="black", markersize=13, label="best")
    axes.set_xlabel(number.name)
    axes.grid(alpha=0.3)
    if number.choices:
        axes.set_xticks(range(len(number.choices)), list(map(str, number.choices)))
        axes.set_xlim(-0.5, len(number.choices) - 0.5)
        return
    # The whole range, also where no trial was drawn.
    if number.is_log:
        axes.set_xscale("log")
        axes.set_xlim(number.low / LOG_MARGIN, number.high * LOG_MARGIN)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        margin = MARGIN * (number.high - number.low)
        axes.set_xlim(number.low - margin, number.high + margin)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=number.is_whole))


def as_pixels(figure: Figure) -> NDArray[np.uint8]:
    """Return a figure as a picture (Y, X, 3), uint8."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
