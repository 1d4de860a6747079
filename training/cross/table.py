"""The cross table: which model, by what it was trained on, scores how on the left-out images of which set."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cpunet.overlap_scores import OverlapCounts, OverlapScores, pool_overlap
from cpunet.scores import ImageScores, SetScores, pool_scores
from cpunet.training.cross.runs import ALL


@dataclass(frozen=True)
class Cell:
    """The scores of one model on the left-out images of one set, or of all sets.

    Attributes
    ----------
    trained_on, scored_on : str
        Names of sets, or ``all``.
    scores : SetScores
    overlap : OverlapScores
    """

    trained_on: str
    scored_on: str
    scores: SetScores
    overlap: OverlapScores


@dataclass(frozen=True)
class CrossScore:
    """A score of the tables.

    Attributes
    ----------
    name : str
        In words.
    column : str
        In the CSV file.
    value : callable
        Takes it out of a cell.
    """

    name: str
    column: str
    value: Callable[[Cell], float]


# The tables of the page, and the columns of the CSV file.
TABLES = (
    CrossScore("Mean F1 of the objects, IoU 0.50 to 0.90", "mean_f1", lambda cell: cell.scores.mean_f1),
    CrossScore("F1 of the objects by any overlap", "object_f1_by_overlap", lambda cell: cell.overlap.object_f1),
    CrossScore("Dice of the pixels", "dice", lambda cell: cell.overlap.dice),
)
COLUMNS = (
    CrossScore("", "images", lambda cell: cell.scores.images),
    CrossScore("", "true_objects", lambda cell: cell.scores.truth_count),
    CrossScore("", "found_objects", lambda cell: cell.scores.prediction_count),
    *TABLES,
    CrossScore("", "f1_at_0.5", lambda cell: cell.scores.f1[0.5]),
    CrossScore("", "f1_at_0.7", lambda cell: cell.scores.f1[0.7]),
    CrossScore("", "object_precision_by_overlap", lambda cell: cell.overlap.object_precision),
    CrossScore("", "object_recall_by_overlap", lambda cell: cell.overlap.object_recall),
    CrossScore("", "merging_objects", lambda cell: cell.overlap.merging),
    CrossScore("", "merged_objects", lambda cell: cell.overlap.merged),
    CrossScore("", "pixel_precision", lambda cell: cell.overlap.pixel_precision),
    CrossScore("", "pixel_recall", lambda cell: cell.overlap.pixel_recall),
    CrossScore("", "pixel_accuracy", lambda cell: cell.overlap.pixel_accuracy),
    CrossScore("", "pixel_iou", lambda cell: cell.overlap.iou),
)


def row_of_cells(
    trained_on: str, by_set: dict[str, tuple[Sequence[ImageScores], Sequence[OverlapCounts]]]
) -> list[Cell]:
    """Pool the scores of one model: those of each set, and last those of all images."""
    cells = [
        Cell(trained_on, name, pool_scores(scores), pool_overlap(counts)) for name, (scores, counts) in by_set.items()
    ]
    scores = [each for of_set, _ in by_set.values() for each in of_set]
    counts = [each for _, of_set in by_set.values() for each in of_set]
    return [*cells, Cell(trained_on, ALL, pool_scores(scores), pool_overlap(counts))]


def as_csv(cells: Sequence[Cell]) -> str:
    """Return all scores, a row a cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["trained_on", "scored_on", *(score.column for score in COLUMNS)])
    for cell in cells:
        values = (score.value(cell) for score in COLUMNS)
        found = (str(value) if isinstance(value, int) else f"{value:.4f}" for value in values)
        writer.writerow([cell.trained_on, cell.scored_on, *found])
    return stream.getvalue()


def as_rows(cells: Sequence[Cell], score: CrossScore) -> list[list[str]]:
    """Return one score as a table: a row a model, a column a set; with heads."""
    trained = list(dict.fromkeys(cell.trained_on for cell in cells))
    scored = list(dict.fromkeys(cell.scored_on for cell in cells))
    found = {(cell.trained_on, cell.scored_on): f"{score.value(cell):.3f}" for cell in cells}
    return [
        ["trained on \\ scored on", *scored],
        *([model, *(found.get((model, name), "") for name in scored)] for model in trained),
    ]


def as_text(cells: Sequence[Cell]) -> str:
    """Return the tables for the terminal."""
    parts = []
    for score in TABLES:
        rows = as_rows(cells, score)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        parts.append("\n".join([score.name, *lines]))
    return "\n\n".join(parts)


def as_markdown(cells: Sequence[Cell], name: str, split: str) -> str:
    """Return the tables as a page."""
    parts = [
        f"# Trained on one set, and on all: {name}",
        f"Each model is scored on the images of the split {split!r} of each set, which no model was trained on. All "
        "trainings have the same configuration and number of steps; only the sets differ. The thresholds are the usual "
        "ones: `cpunet export --data` tunes them. The column and the row *all* pool the images of all sets. An object "
        "counts by any overlap if any of its pixels is hit, which hides merged objects: `cross.csv` has their numbers.",
    ]
    for score in TABLES:
        head, *rows = as_rows(cells, score)
        lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
        parts.append("\n".join([f"## {score.name}", "", *lines, *(f"| {' | '.join(row)} |" for row in rows)]))
    return "\n\n".join(parts) + "\n"
