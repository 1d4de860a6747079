"""The rows of the comparison: which networks are averaged, and in which views of each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cpunet.options import Options

FOLDS = 4
# The folder of the exported models, and two of their names.
MODELS, ONE, MEAN = "models", "one", "mean"
VIEWS: dict[str, dict[str, Any]] = {
    "4 views (flips)": {"augmentation": "flips"},
    "3 scales (0.8, 1, 1.25)": {"view_scales": (0.8, 1.0, 1.25)},
    "overlapping crops of 256 pixels": {"crop_px": 256},
}


@dataclass(frozen=True)
class Row:
    """One way to segment.

    Attributes
    ----------
    name : str
        Of its result's file.
    words : str
        In the table.
    model : str
        Of its folder.
    options : Options
    """

    name: str
    words: str
    model: str
    options: Options


def fold_name(fold: int) -> str:
    """Return the name of the model of a fold."""
    return f"fold_{fold}"


def rows() -> list[Row]:
    """List the rows: one network, each fold alone, their mean, and the one network in several views."""
    return [
        Row(ONE, "one network", ONE, Options()),
        *(
            Row(fold_name(fold), f"the network of fold {fold} alone", fold_name(fold), Options())
            for fold in range(1, FOLDS + 1)
        ),
        Row(MEAN, f"**mean of the {FOLDS} networks**", MEAN, Options()),
        *(
            Row(f"{ONE}_views_{number}", f"one network, {words}", ONE, Options(**options))
            for number, (words, options) in enumerate(VIEWS.items(), start=1)
        ),
    ]
