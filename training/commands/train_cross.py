"""``cpunet train-cross``: train on each data set alone and on all, and score each model on each set."""

from __future__ import annotations

import argparse
from pathlib import Path

from cpunet.terminal import report
from cpunet.training.commands.config_arguments import (
    add_config_and_data,
    add_sets_and_channels,
    add_steps_and_split,
    read_trainings,
)
from cpunet.training.cross.cross import PAGE, train_cross
from cpunet.training.cross.table import as_text
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.quiet import quiet_libraries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_and_data(parser)
    add_sets_and_channels(parser)
    add_steps_and_split(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder for the trainings and tables (runs/NAME_cross)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace tables in DIR that cpunet did not write, or that were changed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, score, and print the tables."""
    with quiet_libraries():
        stay_within_cores()
        config, root = read_trainings(arguments)
        folder = arguments.output or Path("runs") / f"{config.name}_cross"
        cells = train_cross(config, root, folder, arguments.split, arguments.overwrite)
    report(as_text(cells))
    print(f"tables: {folder / PAGE}")
    return 0
