"""``cpunet count``: label images, or images and a model in; counts by objects and by area, and curves over time out."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from cpunet.commands.align import add_names
from cpunet.commands.segment import add_segmentation_arguments, segment_images
from cpunet.counting.by_area import BOUND, typical_area
from cpunet.counting.facts_table import read_facts_table
from cpunet.counting.label_files import MeasuredImage, find_label_files, measure_file
from cpunet.counting.results import COUNTS, check_results, write_results
from cpunet.counting.rows import CountRow, check_names, count_rows
from cpunet.errors import DataError, OptionError, said_with_way_out
from cpunet.files.find import find_images, identity
from cpunet.interruption import stop_if_requested
from cpunet.mosaic.segment_mosaic_file import TIFF_LABELS
from cpunet.terminal import printable, report, show_progress
from cpunet.time_lapse.file_names import pattern_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE",
        help="images to be segmented first, into DIR, as by `cpunet segment`: files, folders or patterns",
    )
    parser.add_argument(
        "--label-images",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="LABELS",
        help="label images instead, such as the folder that `cpunet segment` wrote: files, folders or patterns",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--typical-area",
        type=float,
        metavar="PX",
        help="area of one object, pixels (of 3-D stacks, its voxels); by default the median of all objects of the "
        "whole set that touch neither another object nor the image's frame",
    )
    parser.add_argument(
        "--bound",
        type=float,
        default=BOUND,
        metavar="SHARE",
        help=f"flag images whose two counts differ by more than this share of the larger one, 0 to 1 ({BOUND})",
    )
    add_names(parser)
    parser.add_argument(
        "--table",
        type=Path,
        metavar="CSV",
        help="a table with the column file or well, and any of well, group and hours; it goes before the names",
    )
    parser.add_argument(
        "--hours-per-frame", type=float, metavar="H", help="turn numbers of frames into hours, from the first frame on"
    )
    add_segmentation_arguments(parser)
    parser.set_defaults(labels=TIFF_LABELS)
    parser.add_argument("--overwrite", action="store_true", help="replace files in DIR that exist")


def run(arguments: argparse.Namespace) -> int:
    """Count; return 1 if an image could not be segmented or counted."""
    _check(arguments)
    pattern = None if arguments.names is None else pattern_of(arguments.names)
    table = None if arguments.table is None else read_facts_table(arguments.table)
    failed, labels = 0, find_label_files(arguments.label_images) if arguments.label_images else []
    images_or_labels = labels or find_images(arguments.images).paths
    inputs = frozenset(map(identity, [*images_or_labels, *([arguments.table] if arguments.table else [])]))
    check_results(arguments.output, inputs, arguments.overwrite)
    check_names(images_or_labels, pattern, table)
    if arguments.images:
        segmented = segment_images(arguments)
        failed, labels = segmented.failed, list(segmented.labels.values())
    images: List[MeasuredImage] = []
    for number, path in enumerate(labels):
        show_progress(number, len(labels), path.name)
        try:
            images += measure_file(path)
        except Exception as error:  # a bad file must not keep the others from being counted
            stop_if_requested()
            failed += 1
            reason = said_with_way_out(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            report(f"FAILED {printable(reason if str(path) in reason else f'{path}: {reason}')}", sys.stderr)
    show_progress(len(labels), max(1, len(labels)), "done")
    if not images:
        raise DataError(f"no image could be counted; {failed} failed.")
    typical = _typical_area(arguments, images)
    rows = count_rows(images, typical, arguments.bound, pattern, table, arguments.hours_per_frame)
    report("")
    written = write_results(rows, arguments.output)
    _say_flags(rows)
    how = "as given" if arguments.typical_area else "the median of objects that lie apart"
    of_area = f", with a typical area of {typical:.0f} pixels ({how})" if math.isfinite(typical) else ""
    objects = sum(row.counts.objects for row in rows)
    print(
        f"{objects} objects in {len(rows)} images; by area {sum(row.counts.from_area for row in rows):.0f}{of_area}. "
        f"{failed} failed; {', '.join(written)} in {arguments.output}"
    )
    return 1 if failed else 0


def _typical_area(arguments: argparse.Namespace, images: Sequence[MeasuredImage]) -> float:
    if arguments.typical_area:
        return float(arguments.typical_area)
    try:
        return typical_area([image.areas for image in images])
    except DataError as error:
        if not arguments.images:
            raise
        raise DataError(
            f"{error} The labels are in {arguments.output}: with --label-images, they need not be made again."
        ) from error


def _check(arguments: argparse.Namespace) -> None:
    if bool(arguments.images) == bool(arguments.label_images):
        raise OptionError(
            "Say what to count: images, which are segmented first, or label images after --label-images; not both."
        )
    if arguments.typical_area is not None and not 1 <= arguments.typical_area < math.inf:
        raise OptionError(f"--typical-area {arguments.typical_area:g}: it must be a number of pixels, 1 or more.")
    if not 0 <= arguments.bound <= 1:
        raise OptionError(f"--bound {arguments.bound:g}: it must be from 0 to 1.")
    if arguments.hours_per_frame is not None and not 0 < arguments.hours_per_frame < math.inf:
        raise OptionError(
            f"--hours-per-frame {arguments.hours_per_frame:g}: it must be a number of hours, larger than 0."
        )
    if arguments.output.exists() and not arguments.output.is_dir():
        raise OptionError(f"{arguments.output}: this is a file; -o needs a folder.")


def _say_flags(rows: List[CountRow], most: int = 10) -> None:
    flagged = [row for row in rows if row.counts.flag]
    for row in flagged[:most]:
        frame: Optional[str] = f", frame {row.frame}" if row.frame is not None else ""
        report(f"LOOK AT {printable(row.file)}{frame}: {row.counts.flag}", sys.stderr)
    if len(flagged) > most:
        report(f"LOOK AT {len(flagged) - most} more images, which {COUNTS} flags", sys.stderr)
