"""``cpunet align``: time-lapses whose camera shifted in, frames that lie on each other out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cpunet.errors import OptionError, said_with_way_out
from cpunet.files.find import find_images, identity
from cpunet.interruption import stop_if_requested
from cpunet.terminal import printable, report
from cpunet.time_lapse.align_files import align_movie, movies_of_files
from cpunet.time_lapse.field import COMMON, SHOWN
from cpunet.time_lapse.file_names import pattern_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="time-lapse stacks, or files with a frame each, folders of them, or patterns such as 'images/*.tif'",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder for the aligned frames")
    add_names(parser)
    parser.add_argument(
        "--channel",
        metavar="NAME|N",
        help="of a stack with several channels: the one to align and to write, by name or number from 1 on",
    )
    parser.add_argument(
        "--show",
        choices=SHOWN,
        default=COMMON,
        help="the part of the sample that the aligned frames show: what all frames show (common, the default), or what "
        "any of them shows (all), with 0 where a frame shows nothing",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files in DIR that cpunet did not write, or that were changed"
    )


def add_names(parser: argparse.ArgumentParser) -> None:
    """Declare ``--names``."""
    parser.add_argument(
        "--names",
        metavar="REGEX",
        help="how file names say the well, the group and the time, such as '(?P<well>[A-H][0-9]+)_(?P<time>[0-9]+)$'; "
        "by default words such as B03, and t012 or 01d06h30m",
    )


def run(arguments: argparse.Namespace) -> int:
    """Align each time-lapse, and return 1 if any failed or a frame could not be aligned."""
    pattern = None if arguments.names is None else pattern_of(arguments.names)
    if arguments.output.exists() and not arguments.output.is_dir():
        raise OptionError(f"{arguments.output}: this is a file; -o needs a folder.")
    found = find_images(arguments.images)
    movies, problems = movies_of_files(found.paths, pattern)
    for line in (each.why for each in found.left_out):
        report(printable(line), sys.stderr)
    problems = [*found.problems, *problems]
    for line in problems:
        report(f"FAILED {printable(line)}", sys.stderr)
    if movies:
        arguments.output.mkdir(parents=True, exist_ok=True)
    inputs = frozenset(map(identity, found.paths))
    failed, lost, names = len(problems), 0, set()
    for movie in movies:
        try:
            if movie.name in names:
                raise OptionError(
                    f"{movie.paths[0]}: another time-lapse has the name {movie.name}. Align it elsewhere."
                )
            aligned = align_movie(
                movie, arguments.output, arguments.show, arguments.channel, inputs, arguments.overwrite
            )
        except Exception as error:  # a bad time-lapse must not keep the others from being done
            stop_if_requested()
            failed += 1
            reason = said_with_way_out(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            report(f"FAILED {printable(movie.name)}: {printable(reason)}", sys.stderr)
            continue
        names.add(movie.name)
        not_found = [number for number, place in enumerate(aligned.places, start=1) if not place.found]
        lost += len(not_found)
        largest = max(max(abs(place.step.y_px), abs(place.step.x_px)) for place in aligned.places if place.step)
        field = aligned.field
        report(
            f"{printable(movie.name)}: {len(aligned.files)} frames, shifts of up to {largest:g} pixels; they show "
            f"{field.height} x {field.width} pixels"
        )
        if not_found:
            listed = ", ".join(map(str, not_found))
            report(f"    NOT ALIGNED, and kept at the place of the frame before: {listed}", sys.stderr)
    print(f"\n{len(names)} time-lapses done, {failed} failed; results in {arguments.output}")
    return 1 if failed or lost else 0
