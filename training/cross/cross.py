"""Train and score all models of a cross table; what is trained already is not trained again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cpunet.errors import OutputError
from cpunet.files.images import write_text
from cpunet.files.outputs import WAYS_OUT, check_output
from cpunet.files.written_beside import written_beside
from cpunet.interruption import stop_if_requested
from cpunet.model.protocol import Model
from cpunet.overlap_scores import OverlapCounts, count_overlap
from cpunet.progress import Progress
from cpunet.scores import ImageScores, score_image
from cpunet.segment import segment_image
from cpunet.terminal import report
from cpunet.training.config import TrainingConfig
from cpunet.training.cross.runs import cross_runs, left_out_rows
from cpunet.training.cross.table import Cell, as_csv, as_markdown, row_of_cells
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.evaluation.methods import open_weights
from cpunet.training.train import train

CSV_FILE, PAGE = "cross.csv", "cross.md"
CSV_SUM = re.compile(r"<!-- sum of cross\.csv: ([0-9a-f]{64}) -->\n")


def train_cross(config: TrainingConfig, root: Path, folder: Path, split: str, overwrite: bool = False) -> list[Cell]:
    """Train a configuration on each of its data sets alone and on all, and score each model on each set.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    folder : Path
        Gets a folder for each training, named after its set, and cross.csv and cross.md, anew after each training. A
        training that is finished there is not repeated, and one that was stopped goes on.
    split : str
        The images that are scored: ``val`` or ``test``.
    overwrite : bool
        Whether cross.csv and cross.md are replaced if they were not written here, or changed by hand.

    Returns
    -------
    list of Cell
        By model, the last being that of all sets.

    Raises
    ------
    ConfigError, DataError
        If the configuration or a data set cannot be used.
    OutputError
        If a table of the user would be replaced.
    """
    runs, rows = cross_runs(config), left_out_rows(config, root, split)
    check_tables(folder, overwrite)
    cells: list[Cell] = []
    for number, run in enumerate(runs, start=1):
        report(f"training {number} of {len(runs)}: on {run.trained_on}")
        weights = train(run.config, root, folder / run.folder)
        model = open_weights(weights, needs_diameter=True)
        cells += row_of_cells(run.trained_on, score_sets(model, rows, run.trained_on))
        write_tables(folder, cells, config.name, split)
    return cells


def score_sets(
    model: Model, rows: Mapping[str, Sequence[IndexRow]], name: str
) -> dict[str, tuple[list[ImageScores], list[OverlapCounts]]]:
    """Segment the images of each set as the module would, and compare them with the truth."""
    progress, done = Progress(f"scoring the model of {name}: image", sum(map(len, rows.values()))), 0
    found: dict[str, tuple[list[ImageScores], list[OverlapCounts]]] = {}
    for of_set, images in rows.items():
        scores, counts = found.setdefault(of_set, ([], []))
        for row in images:
            stop_if_requested()
            truth = read_labeled_image(row)
            labels = segment_image(truth.image, model).labels
            scores.append(score_image(truth.labels, labels))
            counts.append(count_overlap(truth.labels, labels))
            done += 1
            progress.show(done, of_set)
    progress.end()
    return found


def check_tables(folder: Path, overwrite: bool) -> None:
    """Raise OutputError if cross.csv or cross.md is not as it was written here; the page knows the sum of the table."""
    page, table = folder / PAGE, folder / CSV_FILE
    check_output(page, overwrite=overwrite)
    if overwrite or not table.exists():
        return
    known = CSV_SUM.search(page.read_text(encoding="utf-8")) if page.exists() else None
    if known is None or known[1] != hashlib.sha256(table.read_bytes()).hexdigest():
        raise OutputError(f"{table} was not written here, or was changed after that. {WAYS_OUT}")


def write_tables(folder: Path, cells: Sequence[Cell], name: str, split: str) -> None:
    """Write cross.csv and cross.md, each whole or not at all."""
    content = as_csv(cells).encode("utf-8")
    page = as_markdown(cells, name, split)
    with written_beside(folder / CSV_FILE) as beside:
        beside.write_bytes(content)
    write_text(folder / PAGE, f"{page}<!-- sum of cross.csv: {hashlib.sha256(content).hexdigest()} -->\n")
