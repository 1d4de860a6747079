"""One page for a whole comparison, which opens offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Sequence

import numpy as np

from cpunet.comparison.charts import comparison_figure
from cpunet.comparison.compared_fields import Comparison
from cpunet.comparison.in_short import in_short, what_to_check
from cpunet.comparison.pictures import LEGEND, anchors, most_differing
from cpunet.conversion.saved import PRIMARY, UNET
from cpunet.report.html_page import figure_uri, write_page

# More would make the page large, and show nobody more.
MOST_FIELDS_IN_PICTURES = 12


def write_comparison(
    path: Path,
    pipeline: str,
    comparisons: Sequence[Comparison],
    left_out: Sequence[str] = (),
    readers: Sequence[str] = (),
    options: str = "",
    most: int = MOST_FIELDS_IN_PICTURES,
) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.html``.
    pipeline : str
        The name of the pipeline's file.
    comparisons : sequence of Comparison
        One for each IdentifyPrimaryObjects. Their records must still be there, for the pictures.
    left_out : sequence of str
        Modules that were not run.
    readers : sequence of str
        Settings of later modules that read what IdentifyObjectsUNet does not make.
    options : str
        How `cpunet convert` makes the same module.
    most : int
        So many fields are shown in pictures.
    """
    content = {
        "pipeline": pipeline,
        "primary": PRIMARY,
        "unet": UNET,
        "left_out": sorted(set(left_out)),
        "legend": LEGEND,
        "readers": readers,
        "options": options,
        "sections": [_section(each, number, most) for number, each in enumerate(comparisons, start=1)],
    }
    write_page(path, "cpunet.comparison", "comparison.html", content)


def _section(comparison: Comparison, number: int, most: int) -> Dict[str, Any]:
    shown = most_differing(comparison, most)
    return {
        "comparison": comparison,
        "facts": in_short(comparison) if comparison.fields else [],
        "checks": what_to_check(comparison) if comparison.fields else [],
        "figure": figure_uri(comparison_figure(comparison)) if comparison.fields else "",
        "shown": shown,
        "anchors": anchors(shown, f"objects-{number}"),
        "seconds": [_median([each.seconds[side] for each in comparison.fields]) for side in (0, 1)],
    }


def _median(seconds: Sequence[Optional[float]]) -> Optional[float]:
    known = [each for each in seconds if each is not None]
    return float(np.median(known)) if known else None
