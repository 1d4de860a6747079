"""A user's table of what images show: the well, the group and the time of each file, or the group of each well."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Dict, NamedTuple, Optional

from cpunet.errors import DataError
from cpunet.time_lapse.file_names import bare_name

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
        If it is no such table, a key comes twice, or a time is no number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: this is no text in UTF-8 ({error}). Save it as CSV in UTF-8.") from error
    lines = text.splitlines()
    delimiter = max(DELIMITERS, key=lambda sign: lines[0].count(sign)) if lines else ","
    reader = csv.DictReader(lines, delimiter=delimiter)
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    key = FILE if FILE in names else WELL
    if key not in names or not (set(names) & set(COLUMNS)) - {key}:
        raise DataError(
            f"{path}: it has the columns {', '.join(names) or 'none'}. It needs {FILE!r} or {WELL!r}, and one or more "
            f"of {', '.join(map(repr, COLUMNS[1:]))}."
        )
    by_file: Dict[str, FactsRow] = {}
    by_well: Dict[str, FactsRow] = {}
    for number, row in enumerate(reader, start=2):
        cells = {name: (row.get(column) or "").strip() or None for name, column in names.items() if name in COLUMNS}
        named = cells.get(key)
        if named is None:
            continue
        table, name = (
            (by_file, bare_name(re.split(r"[\\/]", named)[-1])) if key == FILE else (by_well, bare_well(named))
        )
        if name in table:
            raise DataError(f"{path}, line {number}: {named} comes twice. Keep one of its rows.")
        table[name] = FactsRow(cells.get(WELL), cells.get(GROUP), _hours(cells.get(HOURS), path, number))
    return FactsTable(path, by_file, by_well)


def bare_well(well: str) -> str:
    """Return one text for the ways to write a well.

    >>> bare_well("b3"), bare_well("B03"), bare_well("control")
    ('B3', 'B3', 'control')
    """
    found = re.fullmatch(r"([A-Pa-p])0*([0-9]+)", well)
    return found[1].upper() + found[2] if found else well


def _hours(text: Optional[str], path: Path, line: int) -> Optional[float]:
    if text is None:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {text!r} in the column {HOURS!r} is no number of hours.") from error
