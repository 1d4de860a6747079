"""Merge the CSV files of ExportToSpreadsheet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from cpunet.batch.folder import Plan
from cpunet.batch.merging.group_columns import Values, group_values, places_of
from cpunet.batch.merging.paths_in_text import Moved
from cpunet.errors import BatchError
from cpunet.files.written_beside import written_beside

SUFFIXES = (".csv", ".txt")
IMAGE_NUMBER = "ImageNumber"
EXPERIMENT_HEADER = ["Key", "Value"]
RELATIONSHIPS_HEADER = ["Module", "Module Number", "Relationship", "First Object Name", "First Image Number"]
ONLY_IN_BATCH_FILES = ("Pipeline_UserPipeline", "Path_Mappings")
# A pipeline is one field, longer than Python takes by default.
csv.field_size_limit(2**30)


def is_table(path: Path) -> bool:
    """Return True for a file that begins as ExportToSpreadsheet's tables do."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    with path.open(newline="", encoding="utf-8", errors="replace") as stream:
        first = stream.readline(2**16)
        second = stream.readline(2**16)
    heads = [next(csv.reader([line], delimiter=_delimiter(first)), []) for line in (first, second)]
    return any(_is_head(head) for head in heads)


def merge_tables(sources: Sequence[Tuple[Path, Moved]], target: Path, plan: Plan) -> None:
    """Merge one table of all pieces.

    Parameters
    ----------
    sources : sequence of (Path, Moved)
        In the order of the pieces; a piece that did not write the table is left out.
    target : Path
    plan : Plan
        It knows the groups, and the pipeline's text as one run would have recorded it.

    Raises
    ------
    BatchError
        If the tables of the pieces have other columns.

    Notes
    -----
    Rows of images and objects follow each other. One run writes relationships kind by kind, and within a kind image by
    image. It writes the experiment once: the beginning is that of the first piece, the end that of the last. A column
    that a piece has not is empty for its rows, as in one run for image sets that lack the measurement.
    """
    with sources[0][0].open(newline="", encoding="utf-8") as stream:
        delimiter = _delimiter(stream.readline(2**16))
    heads = [_head_of(path, delimiter) for path, _ in sources]
    with written_beside(target) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter)
        first = heads[0][0]
        if first == EXPERIMENT_HEADER:
            writer.writerows(_experiment(sources, delimiter, plan.pipeline_text))
        elif first[: len(RELATIONSHIPS_HEADER)] == RELATIONSHIPS_HEADER:
            writer.writerow(first)
            writer.writerows(_relationships(sources, delimiter))
        else:
            _append_rows(writer, sources, heads, delimiter, group_values(plan.groups))


def image_numbers_in(path: Path) -> List[int]:
    """Return the column ImageNumber of a merged table of images; empty for any other table."""
    with path.open(newline="", encoding="utf-8") as stream:
        delimiter = _delimiter(stream.readline(2**16))
        stream.seek(0)
        rows = csv.reader(stream, delimiter=delimiter)
        head = next(rows, [])
        if IMAGE_NUMBER not in head or "ObjectNumber" in head:
            return []
        place = head.index(IMAGE_NUMBER)
        return [int(row[place]) for row in rows]


def _is_head(row: Sequence[str]) -> bool:
    known = row[:2] == EXPERIMENT_HEADER or row[: len(RELATIONSHIPS_HEADER)] == RELATIONSHIPS_HEADER
    return known or IMAGE_NUMBER in row


def _delimiter(line: str) -> str:
    return "\t" if "\t" in line and "," not in line.split("\t")[0] else ","


def _rows(path: Path, delimiter: str) -> Iterator[List[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        yield from csv.reader(stream, delimiter=delimiter)


def _head_of(path: Path, delimiter: str) -> List[List[str]]:
    """Return the first row, and the second one too where the first names only the objects of the columns."""
    rows = _rows(path, delimiter)
    first = next(rows, [])
    if IMAGE_NUMBER in first or first in (EXPERIMENT_HEADER,) or "Relationship" in first:
        return [first]
    return [first, next(rows, [])]


def _append_rows(
    writer: Any,
    sources: Sequence[Tuple[Path, Moved]],
    heads: Sequence[List[List[str]]],
    delimiter: str,
    groups: Values,
) -> None:
    """Write the rows of all pieces below the columns of all pieces."""
    columns = [list(zip(*head)) for head in heads]
    union = columns[0]
    if any(each != union for each in columns):
        if any(len(head) > 1 for head in heads) or any(each != sorted(each) for each in columns):
            raise BatchError(f"{sources[0][0].name}: the pieces wrote other columns. Did a file of the batch change?")
        union = sorted(set().union(*columns))  # one run sorts the columns of images too
    names = [str(each[-1]) for each in union]
    number, of_groups = names.index(IMAGE_NUMBER), places_of(names)
    for line in zip(*union):
        writer.writerow(line)
    for (path, moved), head, own in zip(sources, heads, columns):
        places = None if own == union else [own.index(each) if each in own else -1 for each in union]
        rows = _rows(path, delimiter)
        for _ in head:
            next(rows)
        for row in rows:
            row = [moved(cell) for cell in row]
            row = row if places is None else [row[place] if place >= 0 else "" for place in places]
            for place, name in of_groups:
                row[place] = str(groups(int(row[number]))[name])
            writer.writerow(row)


def _relationships(sources: Sequence[Tuple[Path, Moved]], delimiter: str) -> Iterator[List[str]]:
    kinds: Dict[Tuple[str, ...], List[List[str]]] = {}
    for path, _ in sources:
        rows = _rows(path, delimiter)
        next(rows, None)
        for row in rows:
            kinds.setdefault((*row[:4], row[6]), []).append(row)
    for found in kinds.values():
        yield from found


def _experiment(sources: Sequence[Tuple[Path, Moved]], delimiter: str, pipeline_text: str) -> Iterator[List[str]]:
    last = {row[0]: row[1] for row in _rows(sources[-1][0], delimiter) if len(row) == 2}
    for row in _rows(sources[0][0], delimiter):
        key = row[0]
        if key in ("CellProfiler_Version", "Run_Timestamp"):
            yield row
        elif key == "Pipeline_Pipeline":
            yield [key, pipeline_text]
        elif key not in ONLY_IN_BATCH_FILES:
            yield [key, sources[-1][1](last.get(key, ""))] if key in last else row
