"""``cpunet demo-swap``: tutorial on synthetic images, from corrected objects to a pipeline with your own model."""

from __future__ import annotations

import argparse
from pathlib import Path

from cpunet.export.tutorial.steps import run_tutorial

STEPS = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--output", type=Path, default=Path("demo-swap"), metavar="FOLDER", help="a new folder (demo-swap)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"fine-tuning steps ({STEPS})")
    parser.add_argument(
        "--cellprofiler",
        type=Path,
        metavar="PROGRAM",
        help="CellProfiler's program, or the Python that has it (the program cellprofiler, where there is one)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the tutorial."""
    run_tutorial(arguments.output.resolve(), arguments.steps, arguments.cellprofiler)
    return 0
