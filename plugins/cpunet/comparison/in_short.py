"""What a comparison says in sentences: what differs, and what to look at before one decides."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.comparison.compared_fields import Comparison
from cpunet.conversion.saved import PRIMARY, UNET

# Beyond these, an effect is said to matter for the measurements that follow.
SHIFT, NEARLY_ALL = 0.05, 0.95
FIELDS_NAMED = 3


def in_short(comparison: Comparison) -> List[str]:
    """Return the facts, one sentence each, the most important first."""
    counts = comparison.counts
    primary, unet = comparison.primary_count, comparison.unet_count
    sentences = [
        f"{PRIMARY} found {primary:,} objects in {counted(len(comparison.fields), 'field')}, and {UNET} {unet:,}"
        f"{_change(primary, unet)}.",
        f"{counts.kept:,} of the {primary:,} objects of {PRIMARY} ({_share(counts.kept, primary)}) are the same in "
        "both: their outlines agree well (IoU above 0.7).",
    ]
    if counts.cut or counts.merged:
        sentences.append(
            f"{UNET} splits {counted(counts.cut, 'object')} of {PRIMARY} into several, and joins {counts.merged:,} "
            "into fewer."
        )
    if counts.wrong_size:
        sentences.append(f"{counted(counts.wrong_size, 'object')} both found, with different outlines.")
    if counts.missed or counts.invented:
        sentences.append(
            f"{counted(counts.missed, 'object')} only {PRIMARY} found, and {counts.invented:,} only {UNET} found."
        )
    sentences += [
        f"In {counted(len(fields), 'field')} only {finder} found objects: {_named(fields)}."
        for finder, fields in _found_by_one(comparison).items()
        if fields
    ]
    area, intensity = median_ratio(comparison.areas), median_ratio(comparison.intensities)
    if area is not None:
        also = f", and its mean intensity {intensity:.2f} times" if intensity is not None else ""
        sentences.append(
            f"Of an object that both found, {UNET}'s area is {area:.2f} times that of {PRIMARY}{also} (medians)."
        )
    return sentences


def what_to_check(comparison: Comparison) -> List[str]:
    """Return what to look at, by what was found, so that a reader can decide which module is right."""
    counts, total = comparison.counts, comparison.primary_count + comparison.unet_count
    if not total:
        return ["No object was found by either. Check that the images are the right ones."]
    checks = []
    if not any(each.differing for each in comparison.fields):
        checks.append("All objects are the same.")
    elif 2 * counts.kept >= NEARLY_ALL * total:
        checks.append("Nearly all objects are the same. Look at the few that differ, in the pictures below.")
    else:
        checks.append(
            "Look at the pictures below. For each object with a colored area, ask which of the two panels is right. "
            "This page cannot know: neither module is the truth."
        )
    if counts.cut:
        checks.append(f"Cyan in the panel of {UNET}: did it split clumps, or cut single objects into pieces?")
    if counts.merged:
        checks.append(f"Orange in the panel of {UNET}: did it join pieces of one object, or merge several objects?")
    if max(counts.missed, counts.invented) > (1 - NEARLY_ALL) * max(1, comparison.primary_count):
        checks.append("Red: are these objects that the other module misses, or dirt and background?")
    area = median_ratio(comparison.areas)
    if area is not None and abs(area - 1) > SHIFT:
        checks.append(
            f"Outlines are {'larger' if area > 1 else 'smaller'} in {UNET}. Areas and intensities shift with them, so "
            "do not mix results of both modules in one analysis."
        )
    return checks


def _found_by_one(comparison: Comparison) -> Dict[str, List[Tuple[str, int]]]:
    """Return the fields in which only one module found objects, with their numbers, the most first."""
    fields = sorted(comparison.fields, key=lambda field: -field.primary_count - field.unet_count)
    return {
        PRIMARY: [(each.name, each.primary_count) for each in fields if each.primary_count and not each.unet_count],
        UNET: [(each.name, each.unet_count) for each in fields if each.unet_count and not each.primary_count],
    }


def _named(fields: Sequence[Tuple[str, int]]) -> str:
    named = ", ".join(f"{name} ({count:,})" for name, count in fields[:FIELDS_NAMED])
    return named if len(fields) <= FIELDS_NAMED else f"{named} and {len(fields) - FIELDS_NAMED} more"


def median_ratio(pairs: npt.NDArray[np.float64]) -> Optional[float]:
    """Return the median of the second over the first value of pairs (n, 2); None if there is none.

    Examples
    --------
    >>> median_ratio(np.array([[10.0, 11.0], [0.0, 5.0]])), median_ratio(np.zeros((0, 2)))
    (1.1, None)
    """
    known = pairs[pairs[:, 0] != 0]
    return float(np.median(known[:, 1] / known[:, 0])) if len(known) else None


def _change(before: int, after: int) -> str:
    return f" ({(after - before) / before:+.1%})" if before not in (0, after) else ""


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def counted(count: int, word: str) -> str:
    """Return a number with its word.

    >>> counted(1, "field"), counted(1200, "object")
    ('1 field', '1,200 objects')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
