"""``cpunet train-detection``: a YAML file and data sets in, a checkpoint and weights of Mask R-CNN out."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from cpunet.errors import ConfigError
from cpunet.training.commands.config_arguments import add_data
from cpunet.training.config import read_config
from cpunet.training.data.data_sets import data_root
from cpunet.training.detection.config import DetectionConfig
from cpunet.training.detection.packages import missing
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.quiet import quiet_libraries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what to train, and on what")
    add_data(parser)
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder for checkpoints and logs (runs/NAME)")
    parser.add_argument("--steps", type=int, metavar="N", help="train so many steps")
    parser.add_argument(
        "--from",
        dest="start_from",
        default="",
        metavar="FILE",
        help="start from these weights: torchvision's Mask R-CNN, Faster R-CNN or ResNet (.pth), or those of a run",
    )
    parser.add_argument(
        "--from-licence", dest="start_licence", default="", metavar="LICENSE", help="with --from: their license"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    try:
        from cpunet.training.detection.train import train_detector
    except ImportError as error:  # torchvision is not in every environment
        raise missing(error) from None
    with quiet_libraries():
        stay_within_cores()
        config = read_config(arguments.config, DetectionConfig)
        given = {name: getattr(arguments, name) for name in ("start_from", "start_licence", "steps")}
        config = replace(config, **{name: value for name, value in given.items() if value not in (None, "")})
        root = data_root(arguments.data, [source.folder for source in config.data])
        try:
            weights = train_detector(config, root, arguments.run or Path("runs") / config.name)
        except torch.OutOfMemoryError:
            raise ConfigError("the GPU's memory is too small: lower batch_size or patch_size.") from None
    print(f"trained weights: {weights}\nnext: cpunet export {weights} -o models/{config.name}/model.onnx --data {root}")
    return 0
