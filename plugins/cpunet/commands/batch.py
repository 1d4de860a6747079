"""``cpunet batch``: run a CellProfiler pipeline in pieces, on this computer or a cluster, and merge the tables."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import ContextManager, Dict

from cpunet.batch.engine import PLUGINS, Engine, environment_of, locked, run_engine, snakemake
from cpunet.batch.folder import BATCH_FOLDER, REPORT_NAME, BatchFolder, Request, pieces_left, write_json
from cpunet.batch.plan import plan_batch
from cpunet.batch.report import write_report
from cpunet.batch.run_cellprofiler import loaded_once
from cpunet.cellprofiler_program.find import find_python
from cpunet.cores import cores_allowed
from cpunet.errors import BatchError, OptionError
from cpunet.terminal import report

MODULE_FILE = "identifyobjectsunet.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("pipeline", type=Path, metavar="PIPELINE", help="a .cppipe or .cpproj file")
    parser.add_argument("images", type=Path, metavar="IMAGES", help="the folder with the images, CellProfiler's -i")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="folder for the results")
    parser.add_argument("--jobs", type=int, metavar="N", help="pieces that run at once (the cores of this job)")
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="run the pieces on a cluster: slurm, or any other profile of Snakemake, by its name or folder",
    )
    parser.add_argument(
        "--piece-size",
        type=int,
        default=100,
        metavar="N",
        help="image sets of a piece; whole groups, at least so many, if the pipeline groups images (100)",
    )
    parser.add_argument("--retries", type=int, default=2, metavar="N", help="how often a failed piece runs again (2)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="cores of each piece (1)")
    parser.add_argument(
        "--memory-mb", type=int, default=4000, metavar="N", help="memory that a piece asks a cluster for (4000)"
    )
    parser.add_argument(
        "--minutes", type=int, default=240, metavar="N", help="time that a piece asks a cluster for (240)"
    )
    parser.add_argument(
        "--cellprofiler",
        metavar="PYTHON",
        help="the Python that has CellProfiler; by default this one, or that of the command cellprofiler",
    )
    parser.add_argument(
        "--plugins-directory", type=Path, metavar="DIR", help="CellProfiler's plugins; by default the folder of cpunet"
    )
    parser.add_argument(
        "--snakemake",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="ARGUMENT",
        help="all that follows is for Snakemake, such as --snakemake --dry-run",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run a batch, or go on with one; return 1 if some piece failed."""
    for name in ("jobs", "piece_size", "threads", "memory_mb", "minutes"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise OptionError(f"--{name.replace('_', '-')} {value}: it must be 1 or more.")
    if arguments.retries < 0:
        raise OptionError(f"--retries {arguments.retries}: it must be 0 or more.")
    snakemake()  # the first of all errors, since nothing runs without it
    request = request_of(arguments)
    folder = BatchFolder(arguments.output.resolve())
    check_output(folder, request)
    engine = Engine(
        jobs=arguments.jobs or max(1, cores_allowed() // arguments.threads),
        profile=arguments.profile,
        retries=arguments.retries,
        threads=arguments.threads,
        memory_mb=arguments.memory_mb,
        minutes=arguments.minutes,
        more=tuple(arguments.snakemake),
    )
    with locked(folder) as lock:
        write_json(folder.request, vars(request))
        with _environment(folder, request, engine) as environment:
            plan = folder.read_plan() if folder.plan.exists() else plan_batch(folder, request, environment)
            for note in plan.notes:
                report(f"NOTE {note}", sys.stderr)
            code = run_engine(folder, engine, environment, lock)
        print(write_report(folder), end="")
    if code:
        report(
            f"cpunet batch: not all pieces are done. The same command goes on with those that are left; the report is "
            f"{folder.output / f'{REPORT_NAME}.txt'}",
            sys.stderr,
        )
        return 1
    return 0


def _environment(folder: BatchFolder, request: Request, engine: Engine) -> ContextManager[Dict[str, str]]:
    """Return what yields the environment of the runs; on this computer, CellProfiler is loaded once for all of them."""
    environment = environment_of(engine)
    if engine.profile is not None or (folder.plan.exists() and not pieces_left(folder)):
        return nullcontext(environment)
    return loaded_once(request.python, request.plugins, environment)


def request_of(arguments: argparse.Namespace) -> Request:
    """Check the files that are named, and return what was asked for."""
    pipeline, images = arguments.pipeline.resolve(), arguments.images.resolve()
    if not pipeline.is_file():
        raise OptionError(f"{arguments.pipeline}: there is no such pipeline file.")
    if not images.is_dir():
        raise OptionError(f"{arguments.images}: there is no such folder of images.")
    plugins = (arguments.plugins_directory or PLUGINS).resolve()
    if not (plugins / MODULE_FILE).is_file():
        raise OptionError(
            f"{plugins}: there is no {MODULE_FILE} in this folder. Give the folder plugins of the repository: "
            "--plugins-directory DIR"
        )
    python = find_python(arguments.cellprofiler)
    return Request(
        str(pipeline),
        hashlib.sha256(pipeline.read_bytes()).hexdigest(),
        str(images),
        arguments.piece_size,
        python,
        str(plugins),
    )


def check_output(folder: BatchFolder, request: Request) -> None:
    """Raise BatchError if the folder for the results holds anything but this very batch."""
    if folder.output.exists() and not folder.output.is_dir():
        raise OptionError(f"{folder.output}: this is a file; -o needs a folder.")
    before = folder.read_request()
    if before is None:
        others = [name for name in os.listdir(folder.output) if name != BATCH_FOLDER] if folder.output.exists() else []
        if others:
            raise BatchError(
                f"{folder.output}: this folder is not empty (it has {others[0]}), and holds no batch to go on with. "
                "Give a new folder: -o"
            )
        return
    other = [name for name, value in vars(before).items() if value != vars(request)[name]]
    if other:
        raise BatchError(
            f"{folder.output}: this folder holds another batch: "
            + "; ".join(f"{name.replace('_', ' ')} {vars(before)[name]}, not {vars(request)[name]}" for name in other)
            + ". Give the same again, or a new folder: -o"
        )
