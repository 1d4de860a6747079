"""``cpunet train``: a YAML file and data sets in, a checkpoint and weights out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cpunet.training.config import read_config
from cpunet.training.loop import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what to train, and on what")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="ROOT", help="folder that holds the data sets (data)"
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder for checkpoints and logs (runs/NAME)")


def run(arguments: argparse.Namespace) -> int:
    """Train and return 0, or 2 if training could not begin."""
    try:
        config = read_config(arguments.config)
        run_folder = arguments.run or Path("runs") / config.name
        weights = train(config, arguments.data, run_folder)
    except ValueError as error:  # ConfigError, DataError, WeightsError, and an image that does not fit
        print(f"cpunet train: {error}", file=sys.stderr)
        return 2
    print(f"trained weights: {weights}\nnext: cpunet export {weights} -o models/{config.name}/model.onnx --data ROOT")
    return 0
