"""Arguments that several commands of training take."""

from __future__ import annotations

import argparse
from pathlib import Path

from cpunet.training.data.data_sets import HELP
from cpunet.training.planning.recipe import recipe_names


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
