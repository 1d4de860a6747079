"""index.csv of a data set: read, check and write the table itself."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.images import TIFF_SUFFIXES
from cpunet.files.written_beside import written_beside

INDEX = "index.csv"
INDEX_FIELDS = ("id", "modality", "split", "duplicate_of")
NEEDED, LONGEST_SHOWN = ", ".join(INDEX_FIELDS), 100
# The number of planes of a volume; empty or 1 for an image of one plane.
DEPTH = "depth"
WRITTEN_FIELDS = ("id", "height", "width", "dtype", "channels", "objects", "modality", "split", "duplicate_of", "group")


@dataclass(frozen=True)
class IndexTable:
    """A data set's table, with every column that its file has.

    Attributes
    ----------
    fields : tuple of str
        The columns' names, in order.
    rows : tuple of dict of str to str
        One an image. Cells are stripped of spaces.
    """

    fields: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


def read_table(folder: Path) -> IndexTable:
    """Read index.csv without judging its rows.

    DataError if the file is missing, is not CSV in UTF-8, lacks a column, or has one twice.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        raise DataError(f"{path}: there is no such file. A data set is a folder with images/, labels/ and {INDEX}.")
    try:
        # Spreadsheets put a byte order mark first, which would become part of the first column's name.
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            fields = [name.strip() for name in reader.fieldnames or ()]
            lines = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: this is no CSV file in UTF-8: {error}") from error
    missing = [name for name in INDEX_FIELDS if name not in fields]
    if missing:
        found = ", ".join(fields)[:LONGEST_SHOWN] or "none"
        hint = " Its columns are parted by semicolons; save it with commas." if ";" in "".join(fields) else ""
        raise DataError(
            f"{path}: the column {missing[0]!r} is missing.{hint or f' Needed are {NEEDED}; found: {found}.'} "
            "`cpunet data import` writes this file from folders of images and labels."
        )
    twice = [name for name, count in Counter(fields).items() if count > 1]
    if twice:
        raise DataError(
            f"{path}: the column {twice[0]!r} stands in the first line twice. Remove one, or empty columns at the end."
        )
    for number, row in lines:
        if None in row or None in row.values():
            raise DataError(f"{path}: line {number} has another number of cells than the first line.")
    rows = (dict(zip(fields, (cell.strip() for cell in row.values()), strict=True)) for _, row in lines)
    return IndexTable(tuple(fields), tuple(rows))


def read_checked_table(folder: Path) -> IndexTable:
    """Read index.csv; DataError also if an id cannot be used."""
    table = read_table(folder)
    problems = index_problems(table.rows)
    if problems:
        raise DataError(f"{folder}: {problems[0]}")
    return table


def is_volume(cells: Mapping[str, str], image: Path) -> bool:
    """Return whether a row of an index is a volume, a stack of planes in TIFF.

    >>> [is_volume({"depth": depth}, Path(name)) for depth, name in (("40", "a.tif"), ("1", "a.tif"), ("8", "a.png"))]
    [True, False, False]
    """
    return cells.get(DEPTH, "") not in ("", "1") and image.suffix in TIFF_SUFFIXES


def index_problems(rows: Iterable[dict[str, str]]) -> list[str]:
    """List what is wrong with the ids of a table; empty if all can be used."""
    ids = [row["id"] for row in rows]
    problems = [f"the id {name!r} {fault}." for name in ids if (fault := id_fault(name))]
    # Two ids that differ by case alone are one file on Windows and macOS.
    count = Counter(name.casefold() for name in ids)
    twice = sorted({name for name in ids if count[name.casefold()] > 1})
    return problems + [f"the id {name!r} stands in {INDEX} twice." for name in twice]


def id_fault(name: str) -> str:
    """Return why a text cannot be an image's id; an empty text if it can."""
    if not name:
        return "is empty"
    if any(sign in name for sign in '/\\:*?"<>|') or any(ord(sign) < 32 for sign in name):
        return "holds a sign that a file name cannot have; it must be a plain file name without its suffix"
    if name.startswith(".") or name.endswith((".", " ")):
        return "begins or ends with a dot"
    return ""


def write_table(folder: Path, fields: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    """Write index.csv, whole or not at all; missing cells are written empty."""
    with written_beside(Path(folder) / INDEX) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fields, restval="")
        writer.writeheader()
        writer.writerows(rows)
