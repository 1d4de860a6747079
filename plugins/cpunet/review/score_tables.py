"""The tables of a scored review, for the terminal, for CSV files and for a page."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple, Union

from cpunet.review.agreement import MOST_ERRORS, WITHIN, Agreement, ComparedImage, errors_an_image
from cpunet.review.counting import ScoreRow
from cpunet.review.saved_file import SavedReview

Cell = Union[str, int, float]
DISAGREE = "DISAGREE"
# Of the first columns, which hold words.
WORDS = 2


class Table(NamedTuple):
    """Columns with their names, and rows of as many cells; the first two columns hold words."""

    columns: Tuple[str, ...]
    rows: List[Tuple[Cell, ...]]


def scores_table(rows: Sequence[ScoreRow]) -> Table:
    """Lay out counts and scores, a row a set and expert."""
    columns = ("set", "expert", "images", "found", "false", "missed", "precision", "recall", "Dice", "IoU")
    cells: List[Tuple[Cell, ...]] = []
    for set_name, expert, counts in rows:
        scores = (counts.precision, counts.recall, counts.dice, counts.iou)
        cells.append((set_name, expert, counts.images, counts.predicted, counts.false, counts.missed, *scores))
    return Table(columns, cells)


def errors_table(files: Sequence[SavedReview]) -> Table:
    """Lay out in how many images each expert found 0 to 4 errors, and more."""
    columns = ("images with so many errors", "", *map(str, WITHIN), f"more than {MOST_ERRORS}")
    return Table(columns, [(file.expert, "", *errors_an_image(file)) for file in files])


def agreement_table(agreements: Sequence[Agreement]) -> Table:
    """Lay out on how many images each pair of experts differs by no more than 0 to 4 errors."""
    columns = ("experts", "counts of", "images", *(f"within {most}" for most in WITHIN))
    rows: List[Tuple[Cell, ...]] = []
    for each in agreements:
        experts = " and ".join(each.experts)
        for name, within in (("false", each.false), ("missed", each.missed), ("both", each.errors)):
            rows.append((experts, name, each.images, *within))
    return Table(columns, rows)


def images_table(images: Sequence[ComparedImage], experts: Sequence[str], tolerance: int) -> Table:
    """Lay out what each expert counted in each image; those on which experts disagree are marked.

    Parameters
    ----------
    images : sequence of ComparedImage
    experts : sequence of str
    tolerance : int
        Experts disagree where two of them differ by more errors.
    """
    named = [f"{kind}: {expert}" for expert in experts for kind in ("false", "missed")]
    columns = ("set", "image", "found", *named, "difference", "")
    rows: List[Tuple[Cell, ...]] = []
    for key, judgments, difference in images:
        counts: List[Cell] = []
        for expert in experts:
            judged = judgments.get(expert)
            counts += ["", ""] if judged is None else [judged.false, judged.missed]
        found: Cell = next((each.predicted for each in judgments.values()), "")
        mark = DISAGREE if difference > tolerance else ""
        compared: Cell = difference if len(judgments) > 1 else ""
        rows.append((*key, found, *counts, compared, mark))
    return Table(columns, rows)


def clicked_sentences(agreements: Sequence[Agreement]) -> List[str]:
    """Say of each pair how many of the false objects that one of them clicked were clicked by both."""
    return [
        f"{' and '.join(each.experts)}: of {each.clicked_by_either} objects that one of them clicked as false, both "
        f"clicked {each.clicked_by_both}."
        for each in agreements
        if each.clicked_by_either
    ]


def lines_of(table: Table) -> List[str]:
    """Align a table for the terminal."""
    rows = [table.columns, *(tuple(map(text_of, row)) for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    return ["  ".join(_padded(row, widths)).rstrip() for row in rows]


def text_of(cell: Cell) -> str:
    """Write a cell as it is shown: scores with three decimals."""
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _padded(row: Sequence[str], widths: Sequence[int]) -> List[str]:
    padded = enumerate(zip(row, widths))
    return [cell.ljust(width) if column < WORDS else cell.rjust(width) for column, (cell, width) in padded]
