"""A row for each image: where and when it was taken, and how many objects it holds in both counts."""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple, Optional, Pattern, Sequence

from cpunet.counting.by_area import BOUND, ImageCount, counted
from cpunet.counting.facts_table import FactsRow, FactsTable, bare_well
from cpunet.counting.label_files import MeasuredImage
from cpunet.counting.tables import COUNT_COLUMNS, cells_of_count, csv_text
from cpunet.errors import DataError
from cpunet.time_lapse.file_names import bare_name, facts_of_name

NO_FACTS = FactsRow(None, None, None)


class CountRow(NamedTuple):
    """The counts of an image.

    Attributes
    ----------
    file : str
    well : str
        The name of the time-lapse where no well is known.
    group : str
        Empty where none is known.
    frame : int or None
        From 1 on, where the file is a stack or its name has a number for the time.
    hours : float or None
    counts : ImageCount
    """

    file: str
    well: str
    group: str
    frame: Optional[int]
    hours: Optional[float]
    counts: ImageCount


def count_rows(
    images: Sequence[MeasuredImage],
    typical_px: float,
    bound: float = BOUND,
    pattern: Optional[Pattern[str]] = None,
    table: Optional[FactsTable] = None,
    hours_per_frame: Optional[float] = None,
) -> List[CountRow]:
    """Count the objects of images, and find where and when each was taken.

    Parameters
    ----------
    images : sequence of MeasuredImage
    typical_px, bound
        See `cpunet.counting.by_area.counted`.
    pattern : Pattern, optional
        See `cpunet.time_lapse.file_names.facts_of_name`.
    table : FactsTable, optional
        What it says goes before what names say.
    hours_per_frame : float, optional
        Turns numbers of frames into hours; the first frame, 0 or 1, is at 0 hours.

    Raises
    ------
    DataError
        If the table lacks a file or well.
    OptionError
        If a name does not match the pattern.
    """
    found = []
    for image in images:
        said = facts_of_name(image.path, pattern)
        row = _row_of(image.path, said.well, table)
        frame = image.frame
        if frame is None and said.time is not None and not said.in_hours:
            frame = int(said.time)
        hours = row.hours if row.hours is not None else said.time if said.in_hours and image.frame is None else None
        well = row.well or said.well or said.series or image.path.stem
        found.append((image, well, row.group or said.group, frame, hours))
    first = min((frame for *_, frame, _ in found if frame is not None), default=0)
    rows = []
    for image, well, group, frame, hours in found:
        if hours is None and frame is not None and hours_per_frame is not None:
            hours = (frame - first) * hours_per_frame
        rows.append(CountRow(image.path.name, well, group, frame, hours, counted(image.areas, typical_px, bound)))
    return rows


def check_names(paths: Sequence[Path], pattern: Optional[Pattern[str]], table: Optional[FactsTable]) -> None:
    """Raise what `count_rows` would of the names of image files, before hours are spent on the images."""
    for path in paths:
        _row_of(path, facts_of_name(path, pattern).well, table)


def counts_csv(rows: Sequence[CountRow]) -> str:
    """Return the table of all images as CSV."""
    lines = [
        (each.file, each.well, each.group, each.frame, hours_text(each.hours), *cells_of_count(each.counts))
        for each in rows
    ]
    return csv_text(("file", "well", "group", "frame", "hours", *COUNT_COLUMNS), lines)


def hours_text(hours: Optional[float]) -> Optional[str]:
    """Return hours with at most four places, without zeros at the end; None for None."""
    return None if hours is None else f"{hours:.4f}".rstrip("0").rstrip(".")


def _row_of(path: Path, well: str, table: Optional[FactsTable]) -> FactsRow:
    if table is None:
        return NO_FACTS
    rows, name = (table.by_file, bare_name(path.name)) if table.by_file else (table.by_well, bare_well(well))
    if name not in rows:
        what = f"file {name}" if table.by_file else f"well {well}" if well else f"well, and {path.name} names none"
        raise DataError(f"{table.path}: it has no row for the {what}. Add it, or leave the image out.")
    return rows[name]
