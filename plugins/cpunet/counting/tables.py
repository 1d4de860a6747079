"""Tables of counts as CSV text, and where they may be written."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any, Collection, Iterable, Sequence

from cpunet.counting.by_area import ImageCount
from cpunet.errors import OutputError
from cpunet.files.find import identity
from cpunet.files.written_beside import written_beside

COUNT_COLUMNS = ("objects", "area_px", "count_from_area", "disagreement", "flag")


def cells_of_count(count: ImageCount) -> Sequence[object]:
    """Return the cells below `COUNT_COLUMNS`."""
    return count.objects, count.area_px, f"{count.from_area:.2f}", f"{count.disagreement:.3f}", count.flag


def csv_text(columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV, with commas; None becomes an empty cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue()


def check_table(path: Path, inputs: Collection[str] = (), overwrite: bool = False) -> None:
    """Raise OutputError if a table is an input, or exists and may not be replaced: CSV cannot say who wrote it."""
    if identity(path) in inputs:
        raise OutputError(f"{path} is an input of this command. Choose another place with -o.")
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder, and a file is to be written there. Write elsewhere with -o.")
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"{path} exists. Move it away, write elsewhere with -o, or give --overwrite.")


def write_table(path: Path, text: str) -> None:
    """Write a table in UTF-8, whole or not at all."""
    with written_beside(path) as beside:
        beside.write_bytes(bytes_of_table(text))


def bytes_of_table(text: str) -> bytes:
    """Return what a table is stored as: UTF-8, with the mark that Excel needs to read letters beyond ASCII, if any."""
    return text.encode("ascii") if text.isascii() else text.encode("utf-8-sig")
