"""``cpunet convert``: pipelines with IdentifyPrimaryObjects in, pipelines with IdentifyObjectsUNet out, and back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from cpunet.conversion.convert import Request, choices_of_model, choices_of_probability, convert
from cpunet.conversion.exchange import Exchange
from cpunet.conversion.files import places, put
from cpunet.conversion.saved import PRIMARY, UNET
from cpunet.conversion.table import said_of, table_of
from cpunet.errors import OptionError, PipelineError, RuntimeMissingError, said_with_way_out
from cpunet.interruption import stop_if_requested
from cpunet.terminal import printable, report

KEPT, PROBABILITY = "kept", "probability"
# What came of a pipeline: it was converted, it failed or reads what is made no more, or it does not hold the module.
DONE, FAILED, WITHOUT = "done", "failed", "without"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "input", type=Path, metavar="IN", help="a pipeline (.cppipe, .cp, .json, .cpproj), or a folder of pipelines"
    )
    parser.add_argument(
        "output", type=Path, nargs="?", metavar="OUT", help="the new pipeline, or the folder of the new pipelines"
    )
    parser.add_argument("--back", action="store_true", help=f"put {PRIMARY} in the place of {UNET}")
    parser.add_argument(
        "--modules", metavar="LIST", help="only these modules: numbers or names of objects, such as 8,12 or Nuclei"
    )
    parser.add_argument("--model", metavar="NAME", help="the model: a name of `cpunet models`, or an .onnx file")
    parser.add_argument(
        "--declump",
        choices=(KEPT, PROBABILITY),
        default=KEPT,
        help="how touching objects are separated: kept as in the pipeline (the default), or by the network's output",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write nothing, and print a table of all settings before and after"
    )
    parser.add_argument(
        "--force", action="store_true", help="also write pipelines that read what the new module does not make"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")


def run(arguments: argparse.Namespace) -> int:
    """Convert each pipeline; return 1 if one failed, or reads what is made no more, or if none holds the module."""
    if arguments.output is None and not arguments.dry_run:
        raise OptionError("Say where the new pipeline goes: cpunet convert IN OUT. With --dry-run nothing is written.")
    request = _request(arguments)
    is_folder = arguments.input.is_dir()
    outcomes: List[str] = []
    for source, place in places(arguments.input, arguments.output):
        try:
            outcomes.append(_convert_file(source, place, request, arguments))
        except Exception as error:  # a bad file must not keep the others from being done
            stop_if_requested()
            if not is_folder:
                raise
            outcomes.append(FAILED)
            reason = said_with_way_out(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            report(f"FAILED {printable(reason)}", sys.stderr)
    done, failed = outcomes.count(DONE), outcomes.count(FAILED)
    if is_folder:
        print(f"\n{done} converted, {failed} failed, {outcomes.count(WITHOUT)} without {_sought(request)}")
    return 0 if done and not failed else 1


def _request(arguments: argparse.Namespace) -> Request:
    if arguments.back and (arguments.model or arguments.declump != KEPT):
        raise OptionError(f"--model and --declump are settings of {UNET}; they exclude --back.")
    chosen = {
        **(choices_of_model(arguments.model) if arguments.model else {}),
        **(choices_of_probability() if arguments.declump == PROBABILITY else {}),
    }
    words = [word.strip() for word in (arguments.modules or "").split(",")]
    return Request(arguments.back, tuple(word for word in words if word), chosen)


def _sought(request: Request) -> str:
    return UNET if request.back else PRIMARY


def _convert_file(source: Path, place: Optional[Path], request: Request, arguments: argparse.Namespace) -> str:
    """Convert one pipeline, and report on it; return what came of it."""
    try:
        converted = convert(source.read_bytes(), request)
    except (PipelineError, RuntimeMissingError) as error:
        raise type(error)(f"{source}: {error}") from error
    if not converted.exchanges:
        report(f"{printable(source)}: left out, since it holds no {_sought(request)}")
        return WITHOUT
    for exchange in converted.exchanges:
        report(f"{printable(source)}: {_said_of_module(exchange)}")
        for line in ["", *table_of(exchange), ""] if arguments.dry_run else said_of(exchange):
            report(printable(line))
    outlines = [
        f"{reader}, an image of outlines, which CellProfiler makes until version 2.2"
        for reader in converted.readers_of_outlines
    ]
    for note in [*converted.notes, *outlines]:
        report(f"NOTE {printable(source)}: {printable(note)}", sys.stderr)
    for reader in converted.readers:
        report(f"READS {printable(reader)}, which {PRIMARY if request.back else UNET} does not make", sys.stderr)
    if converted.readers and not arguments.force:
        report(f"FAILED {printable(source)}: change the settings that are named above, or give --force", sys.stderr)
        return FAILED
    if place is not None and not arguments.dry_run:
        written = put(converted.content, place, arguments.overwrite)
        report(f"    {'written to' if written else 'the same is there already:'} {printable(place)}")
    return DONE


def _said_of_module(exchange: Exchange) -> str:
    before, after = exchange.before, exchange.after
    return (
        f"module {before.number}, {before.name} (revision {before.revision}), becomes {after.name} "
        f"(revision {after.revision})"
    )
