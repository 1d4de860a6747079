"""Draw what was measured: one picture of up to four panels. Needs matplotlib."""

from pathlib import Path
from textwrap import wrap
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from benchmarks.speed.series import IMAGES_A_SECOND, PRIMARY, SECONDS, PartOfRun, Series, matching
from benchmarks.speed.share_of_limit import ON_GPU, limit_of, model_run, pixels_of
from cpunet.files.written_beside import written_beside

# Okabe and Ito's colors, which color-blind people can distinguish; gray for what others are compared with.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000", "#BBBBBB", "#777777")
GRAY = "#999999"
PANEL_INCHES = (6.4, 4.6)
WIDEST_LABEL = 14
Bars = Dict[str, Dict[str, Tuple[float, float, float]]]


def draw(parts: Dict[str, PartOfRun], path: Path) -> None:
    """Write a PNG of the panels that there are figures for; nothing if there are none."""
    series = [each for part in parts.values() for each in part.series]
    panels = [(title, plot) for title, plot in PANELS if plot(None, series)]
    if not panels:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), dpi=120, constrained_layout=True)
    FigureCanvasAgg(figure)
    for number, (title, plot) in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.set_title(title, fontsize=10)
        plot(axes, series)
    with written_beside(path) as beside:
        # Without a version or a date, so that equal figures give equal files.
        figure.savefig(beside, metadata={"Software": None})


def module_panel(axes: Any, series: Sequence[Series]) -> bool:
    """Draw the seconds of each method as multiples of IdentifyPrimaryObjects'."""
    bars: Bars = {}
    for each in matching(series, part="module", quantity=SECONDS):
        basis = matching(series, part="module", quantity=SECONDS, field=each.field, cores=each.cores, method=PRIMARY)
        if basis:
            bars.setdefault(each.method, {})[_group(each)] = _around(each, basis[0].median)
    return _bars(axes, bars, f"seconds / {PRIMARY}")


def processes_panel(axes: Any, series: Sequence[Series]) -> bool:
    """Draw images a second as multiples of IdentifyPrimaryObjects', in each situation."""
    bars: Bars = {}
    for each in matching(series, part="processes", quantity=IMAGES_A_SECOND):
        of_reference = {"field": each.field, "situation": each.situation, "method": PRIMARY}
        basis = matching(series, part="processes", quantity=IMAGES_A_SECOND, **of_reference)
        if basis:
            group = f"{each.field}\n{each.situation}"
            bars.setdefault(each.method, {})[group] = _around(each, basis[0].median)
    return _bars(axes, bars, f"images a second / {PRIMARY}")


def stages_panel(axes: Any, series: Sequence[Series]) -> bool:
    """Draw the share of each stage in the time of the module, with the first model."""
    found = matching(series, part="stages")
    shown = [each for each in found if each.method == found[0].method]
    if axes is None or not shown:
        return bool(shown)
    groups = list(dict.fromkeys(_group(each) for each in shown))
    left = np.zeros(len(groups))
    whole = {group: sum(sum(each.values) for each in shown if _group(each) == group) for group in groups}
    for number, stage in enumerate(dict.fromkeys(each.quantity for each in shown)):
        of_stage = {_group(each): sum(each.values) for each in shown if each.quantity == stage}
        shares = np.array([of_stage.get(group, 0.0) / whole[group] for group in groups])
        axes.barh(groups, shares, left=left, label=stage, color=COLORS[number % len(COLORS)])
        left += shares
    axes.invert_yaxis()
    axes.set_xlabel(f"share of the time of {shown[0].method}")
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=7, ncol=5, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return True


def networks_panel(axes: Any, series: Sequence[Series]) -> bool:
    """Draw the share of the machine's limit that each way to run the network reaches."""
    bars: Bars = {}
    for each in matching(series, part="networks", quantity=SECONDS):
        pixels = pixels_of(each.field)
        models = model_run(series, each)
        if not models or pixels is None:
            continue
        limit = limit_of(series, models[0], pixels, each.cores, each.situation, each.method.endswith(ON_GPU))
        if limit is not None:
            shares = sorted(limit.seconds / value for value in each.values)
            name = f"{each.method}, {each.situation}"
            bars.setdefault(name, {})[_group(each)] = (limit.seconds / each.median, shares[0], shares[-1])
    return _bars(axes, bars, "share of the limit", legend_columns=2)


PANELS: List[Tuple[str, Callable[[Any, Sequence[Series]], bool]]] = [
    ("One process: less is faster", module_panel),
    ("Every core busy: more is faster", processes_panel),
    ("Where the module's time goes", stages_panel),
    ("The network alone: 1 is the machine's limit", networks_panel),
]


def _wrapped(text: str) -> str:
    return "\n".join(part for line in text.splitlines() for part in wrap(line, WIDEST_LABEL))


def _group(series: Series) -> str:
    return f"{series.field}\n{series.cores} core{'s' if series.cores > 1 else ''}"


def _around(series: Series, basis: float) -> Tuple[float, float, float]:
    """Return the median, the lowest and the highest value over a basis."""
    return series.median / basis, min(series.values) / basis, max(series.values) / basis


def _bars(axes: Any, bars: Bars, label: str, legend_columns: int = 3) -> bool:
    """Draw bars with their spread, a color for each method; return True if there are any."""
    if axes is None or not bars:
        return bool(bars)
    groups = list(dict.fromkeys(group for of_method in bars.values() for group in of_method))
    width = 0.8 / len(bars)
    for number, (method, of_method) in enumerate(bars.items()):
        places = np.array([groups.index(group) for group in of_method]) + (number - (len(bars) - 1) / 2) * width
        medians, lowest, highest = np.array(list(of_method.values())).T
        color = GRAY if method == PRIMARY else COLORS[number % len(COLORS)]
        spread = [medians - lowest, highest - medians]
        axes.bar(places, medians, width, yerr=spread, label=method, color=color, error_kw={"linewidth": 0.8})
    axes.axhline(1, color="black", linewidth=0.6)
    axes.set_xticks(range(len(groups)))
    axes.set_xticklabels([_wrapped(group) for group in groups], fontsize=7 if len(groups) < 6 else 5)
    axes.set_ylabel(label, fontsize=8)
    # Below the labels of the groups, which have up to five lines.
    axes.legend(fontsize=7, ncol=legend_columns, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return True
