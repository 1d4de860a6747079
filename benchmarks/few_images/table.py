"""The table and the learning curves of what has been measured so far."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.few_images.cells import AVERAGED, CALIBRATED, METHODS, SCRATCH, SHIPPED, TUNED
from benchmarks.markdown import header, row
from cpunet.files.written_beside import written_beside

HEADER = ("set", "images", "minutes", "method", "mean F1", "F1 at 0.7", "count error", "measured minutes")
# Okabe and Ito's colors, which color-blind readers can tell; markers differ too.
STYLES = {CALIBRATED: ("#E69F00", "s"), SCRATCH: ("#D55E00", "^"), TUNED: ("#0072B2", "o"), AVERAGED: ("#009E73", "D")}


def results(folder: Path) -> list[dict[str, Any]]:
    """Read all cells that are done, in the order of the table."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "cells").glob("*.json")]
    return sorted(
        found, key=lambda each: (each["name"], each["images"], each["minutes"], METHODS.index(each["method"]))
    )


def table(found: Sequence[dict[str, Any]]) -> str:
    """Lay out the results as Markdown."""
    lines = [header(HEADER)]
    for each in found:
        lines.append(
            row(
                [
                    each["name"],
                    each["images"] or "-",
                    each["minutes"] or "-",
                    each["method"],
                    f"{each['mean_f1']:.3f}",
                    f"{each['f1_at_0.7']:.3f}",
                    f"{each['count_error']:.0%}",
                    f"{each['measured_minutes']:.1f}",
                ]
            )
        )
    return "\n".join(lines)


def learning_curves(found: Sequence[dict[str, Any]], minutes: int, path: Path) -> None:
    """Draw mean F1 by the number of labeled images, a panel a set, for one budget of minutes."""
    names = sorted({each["name"] for each in found})
    figure = Figure(figsize=(3.2 * min(3, len(names)), 2.8 * -(-len(names) // 3)), layout="constrained")
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(-(-len(names) // 3), min(3, len(names)), number)
        of_set = [each for each in found if each["name"] == name]
        for each in of_set:
            if each["method"] == SHIPPED:
                axes.axhline(each["mean_f1"], color="#777777", linestyle=":", label="as it is")
        for method, (color, marker) in STYLES.items():
            points = [
                (each["images"], each["mean_f1"])
                for each in of_set
                if each["method"] == method and each["minutes"] in (0, minutes)
            ]
            if points:
                axes.plot(*zip(*sorted(points), strict=True), color=color, marker=marker, label=method)
        axes.set_xscale("log")
        axes.set_xticks([1, 3, 6, 12], labels=["1", "3", "6", "12"])
        axes.minorticks_off()
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("labeled images")
        axes.set_ylabel("mean F1")
        axes.set_ylim(0, 1)
        if number == 1:
            axes.legend(fontsize=7)
    with written_beside(path) as beside:
        figure.savefig(beside, dpi=120, format="png")
