"""``cpunet train-volumes``: a YAML file and data sets in, a checkpoint and weights of a 3-D U-Net out."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from cpunet.errors import ConfigError
from cpunet.training.commands.config_arguments import add_data
from cpunet.training.config import read_config
from cpunet.training.data.data_sets import data_root
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.quiet import quiet_libraries
from cpunet.training.volumes.config import VolumeConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what to train, and on what")
    add_data(parser)
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder for checkpoints and logs (runs/NAME)")
    parser.add_argument("--steps", type=int, metavar="N", help="train so many steps")


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    from cpunet.training.volumes.train import train_volumes

    with quiet_libraries():
        stay_within_cores()
        config = read_config(arguments.config, VolumeConfig)
        if arguments.steps is not None:
            config = replace(config, steps=arguments.steps)
        root = data_root(arguments.data, [source.folder for source in config.data])
        try:
            weights = train_volumes(config, root, arguments.run or Path("runs") / config.name)
        except torch.OutOfMemoryError:
            raise ConfigError("the GPU's memory is too small: lower batch_size, patch_size or patch_planes.") from None
    print(f"trained weights: {weights}\nnext: cpunet export {weights} -o models/{config.name}/model.onnx --data {root}")
    return 0
