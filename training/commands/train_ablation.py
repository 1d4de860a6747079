"""``cpunet train-ablation``: train without each augmentation in turn, and show what each is worth."""

from __future__ import annotations

import argparse
from pathlib import Path

from cpunet.terminal import report
from cpunet.training.ablation.ablation import PAGE, as_text, train_ablation
from cpunet.training.commands.config_arguments import (
    add_config_and_data,
    add_sets_and_channels,
    add_steps_and_split,
    read_trainings,
)
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.quiet import quiet_libraries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_and_data(parser)
    add_sets_and_channels(parser)
    parser.add_argument(
        "--repeats", type=int, default=1, metavar="N", help="train each N times, with another seed each time (1)"
    )
    add_steps_and_split(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder for the trainings and the table (runs/NAME_ablation)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files in DIR that cpunet did not write, or that were changed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, score, and print the table."""
    with quiet_libraries():
        stay_within_cores()
        config, root = read_trainings(arguments)
        folder = arguments.output or Path("runs") / f"{config.name}_ablation"
        found = train_ablation(config, root, folder, arguments.split, arguments.repeats, arguments.overwrite)
    report(as_text(found))
    print(f"table: {folder / PAGE}")
    return 0
