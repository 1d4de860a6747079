"""``cpunet review``: a page on which experts judge the objects that were found, and the scores of what they judged."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

from cpunet.commands.model_arguments import add_device_and_diameter
from cpunet.errors import OptionError, ReviewError, said_with_way_out
from cpunet.files.find import identity
from cpunet.files.outputs import check_output
from cpunet.interruption import stop_if_requested
from cpunet.options import Options
from cpunet.report.html_page import check_packages
from cpunet.review.fields import Field, Suffixes, draw_fields, find_fields
from cpunet.review.page import read_review, write_review
from cpunet.review.predictions import Predict, open_predictor
from cpunet.review.reviewed_fields import WINDOW_PX, ReviewedField, reviewed_field
from cpunet.review.saved_file import check_together, read_saved
from cpunet.review.write_scores import FILES, score_review, terminal_text, write_scores
from cpunet.terminal import printable, report, show_progress

FEWEST_PX = 64
NEEDED = ("jinja2",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_make(actions.add_parser("make", help="write a page on which experts mark false and missed objects"))
    _add_score(actions.add_parser("score", help="score the files that experts saved from that page"))


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for; return 1 if an image was left out, or an expert judged none."""
    code: int = arguments.do(arguments)
    return code


def _add_make(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGES",
        help="folders of images, data sets, image files or patterns; the images of one folder are a set",
    )
    objects = parser.add_mutually_exclusive_group(required=True)
    objects.add_argument(
        "--model", metavar="MODEL", help="a model's name, folder or .onnx file, which finds the objects"
    )
    objects.add_argument(
        "--labels",
        nargs="+",
        type=Path,
        metavar="DIR|FILE",
        help="label images of the objects: a folder, in which they have the images' names; or files, in the same order",
    )
    parser.add_argument(
        "--stain",
        nargs="+",
        type=Path,
        metavar="DIR|FILE",
        help="images of a stain of the same fields, shown beside: a folder or files, as --labels",
    )
    parser.add_argument(
        "--image-suffix", default="", metavar="TEXT", help="take only images with this end of the name: _phase"
    )
    parser.add_argument(
        "--stain-suffix",
        default="",
        metavar="TEXT",
        help="the end of the stains' names, in their folder: _dapi",
    )
    parser.add_argument("--number", type=int, default=10, metavar="N", help="draw N images at random from a set (10)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument(
        "--window",
        type=int,
        default=WINDOW_PX,
        metavar="PX",
        help=f"of images with longer sides, show a part of this size, drawn at random ({WINDOW_PX})",
    )
    parser.add_argument("--object", default="nucleus", metavar="WORD", help="what the page calls an object (nucleus)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.html", help="the page")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE.html also if cpunet did not write it")
    add_device_and_diameter(parser)
    parser.set_defaults(do=_make)


def _add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.csv", help="what each expert saved")
    parser.add_argument("--page", type=Path, metavar="FILE.html", help="the page of the review, to check the files by")
    parser.add_argument(
        "--tolerance",
        type=int,
        default=1,
        metavar="N",
        help="experts disagree on an image where two of them differ by more than N errors (1)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=f"folder for {', '.join(FILES)}")
    parser.add_argument("--overwrite", action="store_true", help="replace files in DIR that are there already")
    parser.set_defaults(do=_score)


def _make(arguments: argparse.Namespace) -> int:
    _check_make(arguments)
    suffixes = Suffixes(arguments.image_suffix, arguments.stain_suffix)
    found = find_fields(arguments.images, arguments.labels, arguments.stain, suffixes)
    for note in found.notes:
        report(printable(note), sys.stderr)
    drawn = draw_fields(found.fields, arguments.number, arguments.seed)
    inputs = {identity(path) for each in found.fields for path in (each.image, each.labels, each.stain) if path}
    check_output(arguments.output, inputs, arguments.overwrite)
    predict = None
    if arguments.model is None:
        source = f"{arguments.labels[0].absolute().name} (label images)"
    else:
        options = Options(diameter_px=arguments.diameter)
        predict, name = open_predictor(arguments.model, arguments.device, options, _warn)
        source = f"the model {name}"
    fields = _read_all(drawn, predict, arguments.window, arguments.seed)
    sha256 = write_review(arguments.output, fields, source, arguments.object)
    for line in _drawn_of_each_set(found.fields, fields, arguments.seed):
        print(line)
    page = printable(arguments.output)
    print(
        f"\n{page} is the page, {arguments.output.stat().st_size / 1e6:.1f} MB; SHA-256 of the review {sha256}.\n"
        "Send it to the experts. Each opens it in a browser, judges, saves, and sends back the file. Then:\n"
        f"cpunet review score FILE.csv ... --page {page}"
    )
    return 1 if len(fields) < len(drawn) else 0


def _drawn_of_each_set(found: Sequence[Field], drawn: Sequence[ReviewedField], seed: int) -> Iterator[str]:
    for name in dict.fromkeys(each.set_name for each in drawn):
        listed = [each for each in drawn if each.set_name == name]
        total = sum(each.set_name == name for each in found)
        objects = sum(len(each.objects) for each in listed)
        yield f"{printable(name)}: {len(listed)} of {total} images, drawn with seed {seed}; {objects} objects"


def _warn(line: str) -> None:
    report(line, sys.stderr)


def _check_make(arguments: argparse.Namespace) -> None:
    for option, value, least in (
        ("--number", arguments.number, 1),
        ("--seed", arguments.seed, 0),
        ("--window", arguments.window, FEWEST_PX),
    ):
        if value < least:
            raise OptionError(f"{option} must be {least} or more; it is {value}.")
    if arguments.output.suffix.lower() != ".html":
        raise OptionError(f"-o {arguments.output}: the page is written into a file whose name ends in .html.")
    if arguments.stain_suffix and arguments.stain is None:
        raise OptionError("--stain-suffix goes with --stain, which names the folder of the stains.")
    if arguments.model is None and arguments.diameter is not None:
        raise OptionError("--diameter is for a model, and the objects are those of --labels.")
    check_packages(NEEDED)


def _read_all(drawn: Sequence[Field], predict: Optional[Predict], window_px: int, seed: int) -> List[ReviewedField]:
    """Prepare each field by itself; those that fail are named and left out."""
    fields: List[ReviewedField] = []
    for done, field in enumerate(drawn):
        show_progress(done, len(drawn), field.name)
        try:
            fields.append(reviewed_field(field, predict, window_px, seed))
        except Exception as error:  # a bad file must not keep the others from being reviewed
            stop_if_requested()
            reason = said_with_way_out(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            named = reason if reason.startswith(str(field.image)) else f"{field.image}: {reason}"
            report(f"FAILED {printable(named)}", sys.stderr)
    show_progress(len(drawn), len(drawn), "done")
    if not fields:
        raise ReviewError("none of the images that were drawn can be shown, so there is no page.")
    return fields


def _score(arguments: argparse.Namespace) -> int:
    if arguments.tolerance < 0:
        raise OptionError(f"--tolerance must be 0 or more; it is {arguments.tolerance}.")
    page = None if arguments.page is None else read_review(arguments.page)
    files = [read_saved(path) for path in arguments.files]
    check_together(files, page, arguments.page)
    if not any(file.images for file in files):
        raise ReviewError(
            f"{', '.join(str(file.path) for file in files)}: no image is judged. An expert presses Done for each "
            "image, and saves then."
        )
    output = arguments.output
    if output is not None:
        if output.exists() and not output.is_dir():
            raise OptionError(f"{output}: this is a file; -o needs a folder.")
        check_packages(NEEDED)
        inputs = {identity(path) for path in (*arguments.files, *filter(None, [arguments.page]))}
        for name in FILES:
            check_output(output / name, inputs, arguments.overwrite)
    scored = score_review(files, arguments.tolerance)
    print(terminal_text(scored))
    if output is not None:
        write_scores(output, scored)
        print(f"\nWritten: {', '.join(printable(output / name) for name in FILES)}")
    return 0 if all(file.images for file in files) else 1
