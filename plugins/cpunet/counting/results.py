"""The files that `cpunet count` writes: tables of images, wells and groups, and a picture of the curves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Collection, List, Sequence

from cpunet.counting.curves import curves_of, groups_csv, wells_csv
from cpunet.counting.picture import can_draw, curves_picture
from cpunet.counting.rows import CountRow, counts_csv
from cpunet.counting.tables import check_table, write_table
from cpunet.files.images import write_picture
from cpunet.files.outputs import check_output
from cpunet.terminal import report

COUNTS, WELLS, GROUPS, PICTURE = "counts.csv", "wells.csv", "groups.csv", "counts.png"


def check_results(folder: Path, inputs: Collection[str], overwrite: bool) -> None:
    """Raise OutputError if a file of a folder must not be replaced; see `cpunet.files.outputs.check_output`."""
    for name in (COUNTS, WELLS, GROUPS):
        check_table(folder / name, inputs, overwrite)
    check_output(folder / PICTURE, inputs, overwrite)


def write_results(rows: Sequence[CountRow], folder: Path) -> List[str]:
    """Write the counts and, where times are known, their curves; return the names of the files.

    Where there are no curves, or no matplotlib for the picture, a note says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / COUNTS, counts_csv(rows))
    curves = curves_of(rows)
    if curves is None:
        report(
            "NOTE no curves over time: the times of the images are not known, or all are the same. See --names and "
            "--table.",
            sys.stderr,
        )
        return [COUNTS]
    write_table(folder / WELLS, wells_csv(curves))
    write_table(folder / GROUPS, groups_csv(curves))
    if not can_draw():
        report(
            f'NOTE no picture: this Python lacks matplotlib. Install it: "{sys.executable}" -m pip install matplotlib',
            sys.stderr,
        )
        return [COUNTS, WELLS, GROUPS]
    write_picture(folder / PICTURE, curves_picture(curves))
    return [COUNTS, WELLS, GROUPS, PICTURE]
