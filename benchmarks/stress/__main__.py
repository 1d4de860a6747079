"""Score models and IdentifyPrimaryObjects on validation images of BBBC039 after what real microscopes do to them.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.stress --data data/bbbc039 --pictures stress-pictures

Each cell: mean F1, F1 at 0.7, F1 at 0.9. All settings are the defaults, except for *IdentifyPrimaryObjects, tuned*: the
best of 30 settings for the row (benchmarks/stress/primary_grid.py). The table is the same whenever it is made.
"""

import argparse
import csv
import functools
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Callable, Iterator, Sequence

# Each job is a process that takes one core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.markdown import header, row
from benchmarks.stress.pictures import draw_row
from benchmarks.stress.rows import ROWS
from benchmarks.stress.table import (
    CSV_HEADER,
    PRIMARY,
    PRIMARY_TUNED,
    RowScores,
    cells,
    choose_images,
    csv_rows,
    score_row,
)
from cpunet.cores import cores_allowed
from cpunet.files.outputs import check_output
from cpunet.model.find import DEFAULT_MODEL, find_model, list_models
from cpunet.onnx_reader.metadata import read_card, sha256

IMAGES = 8


def default_models() -> Sequence[str]:
    """Return the names of the models found that take gray fluorescence of nuclei, the default model first."""
    names = [name for name in list_models() if name != "phase_cells"]
    return sorted(names, key=lambda name: name != DEFAULT_MODEL)


def in_parallel(score: Callable[[str], RowScores], rows: Sequence[str], jobs: int) -> Iterator[RowScores]:
    """Score rows in so many processes, or in this one, and yield them in order."""
    if jobs == 1:
        yield from map(score, rows)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(score, rows)


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.stress", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="bbbc039: images/ labels/ index.csv")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"so many, from dense to sparse ({IMAGES})")
    parser.add_argument("--models", nargs="*", metavar="NAME|FILE", help="all that are found but phase_cells")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help="; ".join(ROWS))
    parser.add_argument("--without-primary", action="store_true", help="leave IdentifyPrimaryObjects out, to save time")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the scores, one line a row and method")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="also write a PNG of each row's first image")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    parser.add_argument("--jobs", type=int, default=cores_allowed(), help="rows that are scored at the same time")
    options = parser.parse_args(arguments)
    models = default_models() if options.models is None else options.models
    if options.csv:
        check_output(options.csv, overwrite=options.overwrite)
    if not models and options.without_primary:
        parser.error("there is nothing to score: name a model, or leave --without-primary out")
    for name in models:
        path = find_model(name)
        print(f"{name}: {read_card(path).name} {read_card(path).version}, sha256 {sha256(path)}")
    images = choose_images(options.data, options.images)
    print(f"Images of {options.data.name}: {', '.join(image.id for image in images)}\n")
    methods = [*models, *([] if options.without_primary else [PRIMARY, PRIMARY_TUNED])]
    print(header(["", "nuclei", *methods]), flush=True)
    lines = []
    score = functools.partial(score_row, images=images, models=models, with_primary=not options.without_primary)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    for scored in in_parallel(score, options.rows, options.jobs):
        print(row(cells(scored)), flush=True)
        lines += csv_rows(scored)
        if options.pictures:
            draw_row(scored, options.pictures)
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([CSV_HEADER, *lines])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
