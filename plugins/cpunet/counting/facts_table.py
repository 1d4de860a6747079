"""A user's table of what images show: the well, the group and the time of each file, or the group of each well."""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from cpunet.errors import DataError
from cpunet.time_lapse.file_names import NUMBER, bare_name

FILE, WELL, GROUP, HOURS = "file", "well", "group", "hours"
COLUMNS = (FILE, WELL, GROUP, HOURS)
DELIMITERS = ",;\t"


class FactsRow(NamedTuple):
    """What a row says; None where it says nothing."""

    well: Optional[str]
    group: Optional[str]
    hours: Optional[float]


class FactsTable(NamedTuple):
    """A table by the names of files, without suffix and ``_labels``, or by wells; one of the two is empty."""

    path: Path
    by_file: Dict[str, FactsRow]
    by_well: Dict[str, FactsRow]


def read_facts_table(path: Path) -> FactsTable:
    """Read a CSV file with the column ``file`` or ``well``, and any of ``well``, ``group`` and ``hours``.

    Parameters
    ----------
    path : Path
        In UTF-8, with commas, semicolons or tabs. Further columns are left alone. Names of files may have a folder and
        a suffix, which do not count. B3 and B03 are one well.

    Raises
    ------
    DataError
        If it is no such table, a key or column comes twice, a row has more cells than there are columns, or a time is
        no finite number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: this is no text in UTF-8 ({error}). Save it as CSV in UTF-8.") from error
    rows = _cells(path, text)
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if twice:
        raise DataError(f"{path}: the column {twice[0]!r} is there twice. Keep one.")
    names = {name: place for place, name in enumerate(header) if name}
    key = FILE if FILE in names else WELL
    if key not in names or not (set(names) & set(COLUMNS)) - {key}:
        raise DataError(
            f"{path}: it has the columns {', '.join(names) or 'none'}. It needs {FILE!r} or {WELL!r}, and one or more "
            f"of {', '.join(map(repr, COLUMNS[1:]))}."
        )
    by_file: Dict[str, FactsRow] = {}
    by_well: Dict[str, FactsRow] = {}
    for number, row in rows[1:]:
        if any(cell.strip() for cell in row[len(header) :]):
            raise DataError(
                f"{path}, line {number}: there are {len(row)} cells, and {len(header)} columns. Put text with commas "
                "into quotation marks, and write numbers with a point."
            )
        cells = {name: row[place].strip() or None for name, place in names.items() if place < len(row)}
        named = cells.get(key)
        if named is None:
            continue
        table, name = (
            (by_file, bare_name(re.split(r"[\\/]", named)[-1])) if key == FILE else (by_well, bare_well(named))
        )
        if name in table:
            way_out = "" if key == FILE else f", or use the column {FILE!r} to tell the images of a well apart"
            raise DataError(f"{path}, line {number}: {named} comes twice. Keep one of its rows{way_out}.")
        table[name] = FactsRow(cells.get(WELL), cells.get(GROUP), _hours(cells.get(HOURS), path, number))
    if not by_file and not by_well:
        raise DataError(f"{path}: no row has anything in the column {key!r}. Fill it in.")
    return FactsTable(path, by_file, by_well)


def bare_well(well: str) -> str:
    """Return one text for the ways to write a well.

    >>> bare_well("b3"), bare_well("B03"), bare_well("control")
    ('B3', 'B3', 'control')
    """
    found = re.fullmatch(r"([A-Pa-p])0*([0-9]+)", well)
    return found[1].upper() + found[2] if found else well


def _cells(path: Path, text: str) -> List[Tuple[int, List[str]]]:
    """Return the rows that are not empty, with their lines."""
    if "\0" in text:  # which some versions of Python read
        raise DataError(f"{path}: this is no table (it holds zero bytes). Save it as CSV in UTF-8.")
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count))
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: this is no table ({error}). Save it as CSV in UTF-8."
        ) from error


def _hours(text: Optional[str], path: Path, line: int) -> Optional[float]:
    if text is None:
        return None
    hours = float(text.replace(",", ".")) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(hours):
        raise DataError(
            f"{path}, line {line}: {text!r} in the column {HOURS!r} is no number of hours. Write one such as 1.5, or "
            "leave the cell empty."
        )
    return hours
