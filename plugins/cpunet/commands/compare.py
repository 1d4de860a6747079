"""``cpunet compare``: both modules on the same images, and a page that shows where they differ."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from cpunet.cellprofiler_program.find import find_cellprofiler
from cpunet.commands.convert import KEPT, PROBABILITY
from cpunet.comparison.compared_fields import compare_run
from cpunet.comparison.in_short import in_short
from cpunet.comparison.page import MOST_FIELDS_IN_PICTURES, write_comparison
from cpunet.comparison.pipeline_of_both import pipeline_of_both
from cpunet.comparison.run_both import run_both
from cpunet.conversion.convert import Request, choices_of_model, choices_of_probability, convert, read_pipeline
from cpunet.errors import ComparisonError, OptionError
from cpunet.files.find import identity
from cpunet.files.outputs import check_output
from cpunet.report.html_page import check_packages
from cpunet.terminal import printable

PAGE = "comparison.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path, metavar="PIPELINE", help="a pipeline with IdentifyPrimaryObjects")
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGES",
        help="image files, or folders; the pipeline chooses among all files in them and in their subfolders. For a "
        "pipeline with LoadData: its CSV file",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help=f"the folder in which {PAGE} is written"
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a model's name or .onnx file for IdentifyObjectsUNet; by default the module's own",
    )
    parser.add_argument(
        "--declump",
        choices=(KEPT, PROBABILITY),
        default=KEPT,
        help="how IdentifyObjectsUNet separates touching objects: kept as in the pipeline (the default), or by the "
        "network's output",
    )
    parser.add_argument("--first", type=int, metavar="N", help="compare only the first N fields")
    parser.add_argument(
        "--pictures",
        type=int,
        default=MOST_FIELDS_IN_PICTURES,
        metavar="N",
        help=f"show at most N fields in pictures, those that differ most ({MOST_FIELDS_IN_PICTURES})",
    )
    parser.add_argument(
        "--cellprofiler",
        type=Path,
        metavar="PATH",
        help="CellProfiler's program, or a Python that has CellProfiler; by default the Python that runs this command",
    )
    parser.add_argument(
        "--plugins-directory",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder with further plugins that the pipeline needs; can be given several times",
    )
    parser.add_argument("--overwrite", action="store_true", help=f"replace {PAGE} also if cpunet did not write it")


def run(arguments: argparse.Namespace) -> int:
    """Compare; return 1 if a field could not be compared."""
    for option, value, least in (("--first", arguments.first, 1), ("--pictures", arguments.pictures, 0)):
        if value is not None and value < least:
            raise OptionError(f"{option} must be {least} or more; it is {value}.")
    check_packages()
    page = arguments.output / PAGE
    check_output(page, {identity(arguments.file)}, arguments.overwrite)
    cellprofiler = find_cellprofiler(arguments.cellprofiler)
    content = arguments.file.read_bytes()
    chosen, options = {}, ""
    if arguments.model is not None:
        chosen, options = choices_of_model(arguments.model), f" --model {arguments.model}"
    if arguments.declump == PROBABILITY:
        chosen, options = {**chosen, **choices_of_probability()}, f"{options} --declump {PROBABILITY}"
    converted = convert(content, Request(chosen=chosen))
    both = pipeline_of_both(read_pipeline(content).modules, converted)
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".compare-", dir=arguments.output) as folder:
        run = run_both(both, arguments.images, Path(folder), cellprofiler, arguments.plugins_directory, arguments.first)
        comparisons = [compare_run(run, number, pair) for number, pair in enumerate(both.pairs, start=1)]
        if not any(each.fields for each in comparisons):
            name, why = next(iter(comparisons[0].failed.items()))
            raise ComparisonError(f"no field could be compared. {name}: {why}.")
        readers = list(map(str, converted.readers))
        write_comparison(page, arguments.file.name, comparisons, both.left_out, readers, options, arguments.pictures)
    failed = sum(len(each.failed) for each in comparisons)
    for each in comparisons:
        print("\n".join(["", f"{each.objects}, in the image {each.image}", *in_short(each)] if each.fields else []))
    print(f"\n{printable(page)} shows the fields that differ most." + (f" {failed} failed." if failed else ""))
    return 1 if failed else 0
