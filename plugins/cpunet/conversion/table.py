"""Say in words what a conversion changes: a table of settings, and lists of those that have no counterpart."""

from __future__ import annotations

import textwrap
from itertools import zip_longest
from typing import List, Sequence

from cpunet.conversion import primary_settings, unet_settings
from cpunet.conversion.exchange import Change, Exchange
from cpunet.conversion.saved import PRIMARY, UNET

# Of the columns of the table: the old setting, its value, the new setting, its value.
WIDTHS = (44, 20, 44, 20)
# Settings that change nothing in the objects.
OF_NO_WEIGHT = {
    "Threshold setting version",
    "Display accepted local maxima?",
    "Select maxima color",
    "Select maxima size",
    # Until CellProfiler 2.2: of outlines, which the command names where they are used, and of a way to separate objects
    # that became Intensity.
    "Name the outline image",
    "Automatically calculate the threshold using the Otsu method?",
    "Enter Laplacian of Gaussian threshold",
    "Automatically calculate the size of objects for the Laplacian of Gaussian filter?",
    "Enter LoG filter diameter",
}
# Of settings that only CellProfiler 2 has.
OLD_DEFAULTS = {
    "Try to merge too small objects with nearby larger objects?": ("No",),
    "Approximate fraction of image covered by objects?": ("0.01",),
    "Select binary image": ("None",),
    "Masking objects": ("None", "From image"),
    "Retain outlines of the identified objects?": ("No",),
    "Minimize the weighted variance or the entropy?": ("Weighted variance",),
    "Select the smoothing method for thresholding": ("Automatic",),
    "Method to calculate adaptive window size": ("Image size",),
    "Use default parameters?": ("Default",),
}
NONE = "-"
ADVANCED = unet_settings.TEXTS["advanced"]
LINE_WIDTH = 130


def table_of(exchange: Exchange) -> List[str]:
    """Return the lines of a table of all settings before and after.

    Parameters
    ----------
    exchange : Exchange

    Returns
    -------
    list of str
    """
    rows = [(exchange.before.name, "before", exchange.after.name, "after"), tuple("-" * width for width in WIDTHS)]
    for change in exchange.changes:
        before = (change.before, change.value_before) if change.before else (NONE, NONE)
        after = (change.after, change.value_after) if change.after else (NONE, NONE)
        rows.append((*before, *after))
    return [line for row in rows for line in _lines_of_row(row)]


def said_of(exchange: Exchange) -> List[str]:
    """Return what a user should know of a module that was exchanged, as lines that are indented under the file."""
    lines = []
    for change in exchange.altered:
        lines.append(f"{change.before}: {change.value_before} becomes {change.after}: {change.value_after}")
    lost = [change for change in exchange.lost if not _at_default(change, exchange.before.name)]
    if lost:
        said = "; ".join(f"{change.before}: {change.value_before}" for change in lost)
        lines.append(f"{exchange.after.name} has no such settings: {said}")
    if exchange.after.name == PRIMARY:
        said = "; ".join(f"{change.after}: {change.value_after}" for change in exchange.added)
        lines.append(f"settings that only {PRIMARY} has: {said}")
    elif any(change.after == ADVANCED and change.value_after == "No" for change in exchange.changes):
        lines.append(
            f"{ADVANCED} No: {PRIMARY} separates touching objects by Intensity then, and {UNET} by Probability"
        )
    return [
        wrapped
        for line in lines
        for wrapped in textwrap.wrap(
            line, LINE_WIDTH, initial_indent="    ", subsequent_indent="        ", break_on_hyphens=False
        )
    ]


def _at_default(change: Change, module: str) -> bool:
    """Return whether a setting of the old module is as its newest revision has it before anyone changes it."""
    newest = primary_settings.NEWEST_SETTINGS if module != UNET else unet_settings.NEWEST_SETTINGS
    defaults = {text: default for _, text, default, _ in newest}
    if change.before in OF_NO_WEIGHT or change.value_before in OLD_DEFAULTS.get(change.before, ()):
        return True
    if change.before not in defaults:
        return False
    default = defaults[change.before]
    return change.value_before == default or _numbers(change.value_before) == _numbers(default) != []


def _numbers(text: str) -> List[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []


def _lines_of_row(row: Sequence[str]) -> List[str]:
    cells = [textwrap.wrap(cell, width, break_on_hyphens=False) or [""] for cell, width in zip(row, WIDTHS)]
    lines = []
    for parts in zip_longest(*cells, fillvalue=""):
        lines.append("  ".join(part.ljust(width) for part, width in zip(parts, WIDTHS)).rstrip())
    return lines
