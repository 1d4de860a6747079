"""Arguments that several commands of training take."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from cpunet.training.config import TrainingConfig
from cpunet.training.data.data_sets import HELP
from cpunet.training.planning.recipe import find_config, read_completed, recipe_names


def add_config_and_data(parser: argparse.ArgumentParser) -> None:
    """Declare ``CONFIG.yaml`` and ``--data``."""
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG.yaml",
        help=f"what to train, and on what; or the name of a recipe: {', '.join(recipe_names())}",
    )
    add_data(parser)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Declare ``--data``."""
    parser.add_argument("--data", nargs="+", type=Path, default=[Path("data")], metavar="FOLDER", help=f"{HELP} (data)")


def add_sets_and_channels(parser: argparse.ArgumentParser) -> None:
    """Declare ``--sets`` and ``--channels``."""
    parser.add_argument("--sets", nargs="+", default=[], metavar="SET", help="only these of the data sets")
    add_channels(parser)


def add_channels(parser: argparse.ArgumentParser) -> None:
    """Declare ``--channels``."""
    parser.add_argument(
        "--channels", nargs="+", default=[], metavar="NAME", help="names of the image's channels, for the model's card"
    )


def add_steps_and_split(parser: argparse.ArgumentParser) -> None:
    """Declare ``--steps`` and ``--split`` of several trainings, each of which is scored."""
    parser.add_argument("--steps", type=int, metavar="N", help="steps of each training")
    parser.add_argument("--split", default="val", help="which images are scored (val)")


def read_trainings(arguments: argparse.Namespace) -> tuple[TrainingConfig, Path]:
    """Return what several trainings have in common, as the command line says, and the folder that holds the data."""
    config, root = read_completed(find_config(arguments.config), arguments.data, arguments.sets, arguments.channels)
    return config if arguments.steps is None else replace(config, steps=arguments.steps), root
