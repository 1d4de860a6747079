"""Counts over time: of each well, and the mean and spread over the wells of each group."""

from __future__ import annotations

from collections import defaultdict
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from cpunet.counting.rows import CountRow, hours_text
from cpunet.counting.tables import csv_text

HOURS, FRAME = "hours", "frame"


class WellPoint(NamedTuple):
    """A well at one time: the mean over its images, such as the sites that were imaged; `flagged` counts those."""

    well: str
    group: str
    time: float
    images: int
    objects: float
    from_area: float
    flagged: int


class GroupPoint(NamedTuple):
    """A group at one time: mean and standard deviation over its wells; the deviation is None with one well."""

    group: str
    time: float
    wells: int
    objects: float
    objects_sd: Optional[float]
    from_area: float
    from_area_sd: Optional[float]


class Curves(NamedTuple):
    """Curves of all wells and groups, by group, well and time.

    Attributes
    ----------
    unit : str
        Of the time: ``hours``, or ``frame``.
    wells : list of WellPoint
    groups : list of GroupPoint
    """

    unit: str
    wells: List[WellPoint]
    groups: List[GroupPoint]


def curves_of(rows: Sequence[CountRow]) -> Optional[Curves]:
    """Return the counts over time; None if the time of an image is not known, or all have the same.

    Notes
    -----
    Hours are used if they are known of all images, else numbers of frames. The spread of a group is that between its
    wells, since images of one well are not independent.
    """
    unit = HOURS if all(row.hours is not None for row in rows) else FRAME
    times = [row.hours if unit == HOURS else row.frame for row in rows]
    if any(time is None for time in times) or len(set(times)) < 2:
        return None
    of_wells: Dict[Tuple[str, str, float], List[Tuple[float, float, bool]]] = defaultdict(list)
    for row, time in zip(rows, times):
        of_wells[row.group, row.well, float(time or 0)].append(
            (row.counts.objects, row.counts.from_area, bool(row.counts.flag))
        )
    wells = [
        WellPoint(
            well,
            group,
            time,
            len(counts),
            float(np.mean([objects for objects, _, _ in counts])),
            float(np.mean([from_area for _, from_area, _ in counts])),
            sum(flagged for _, _, flagged in counts),
        )
        for (group, well, time), counts in sorted(of_wells.items())
    ]
    of_groups: Dict[Tuple[str, float], List[Tuple[float, float]]] = defaultdict(list)
    for point in wells:
        of_groups[point.group, point.time].append((point.objects, point.from_area))
    groups = []
    for (group, time), counts in sorted(of_groups.items()):
        mean = np.mean(counts, axis=0)
        spread = np.std(counts, axis=0, ddof=1) if len(counts) > 1 else (None, None)
        groups.append(
            GroupPoint(
                group, time, len(counts), float(mean[0]), _or_none(spread[0]), float(mean[1]), _or_none(spread[1])
            )
        )
    return Curves(unit, wells, groups)


def wells_csv(curves: Curves) -> str:
    """Return the curves of the wells as CSV."""
    rows = [
        (
            each.well,
            each.group,
            hours_text(each.time),
            each.images,
            f"{each.objects:.2f}",
            f"{each.from_area:.2f}",
            each.flagged,
        )
        for each in curves.wells
    ]
    return csv_text(("well", "group", curves.unit, "images", "objects", "count_from_area", "flagged"), rows)


def groups_csv(curves: Curves) -> str:
    """Return the curves of the groups as CSV."""
    rows = [
        (
            each.group,
            hours_text(each.time),
            each.wells,
            f"{each.objects:.2f}",
            _text(each.objects_sd),
            f"{each.from_area:.2f}",
            _text(each.from_area_sd),
        )
        for each in curves.groups
    ]
    columns = ("objects_mean", "objects_sd", "count_from_area_mean", "count_from_area_sd")
    return csv_text(("group", curves.unit, "wells", *columns), rows)


def _or_none(value: Optional[float]) -> Optional[float]:
    return None if value is None else float(value)


def _text(value: Optional[float]) -> Optional[str]:
    return None if value is None else f"{value:.2f}"
