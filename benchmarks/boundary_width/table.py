"""The table of all rows."""

from __future__ import annotations

from typing import Any

from benchmarks.boundary_width.rows import BY_CONTRAST, BY_LARGEST
from benchmarks.markdown import header, row

TITLES = {"bbbc039": "BBBC039", "dsb2018": "DSB 2018"}


def table(found: dict[str, dict[str, Any]]) -> str:
    """Lay out the results as Markdown; each cell holds the figure by contrast, and that of the largest region."""
    sets = list(next(iter(found.values()))["scores"])
    columns = ("mean F1", "F1 at 0.7", "split / merged", "background as objects")
    lines = [
        header(["row", "CPU minutes", *(f"{TITLES.get(name, name)} {column}" for name in sets for column in columns)])
    ]
    for name, each in found.items():
        cells = [name, f"{each['cpu_minutes']:.1f}"]
        for scores in each["scores"].values():
            new, old = scores[BY_CONTRAST], scores[BY_LARGEST]
            cells += [f"{new[key]:.3f} ({old[key]:.3f})" for key in ("mean_f1", "f1_at_0.7")]
            merged = [f"{s['over_segmented']} / {s['under_segmented']}" for s in (new, old)]
            cells += [f"{merged[0]} ({merged[1]})", f"{new['background_as_objects']} ({old['background_as_objects']})"]
        lines.append(row(cells))
    return "\n".join(lines)
