"""``cpunet train``: a YAML file and data sets in, a checkpoint and weights out; also its plan and its checks."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from cpunet.errors import ConfigError
from cpunet.training.config import TrainingConfig, read_config
from cpunet.training.data.index import data_sets_below
from cpunet.training.network.build import build_network
from cpunet.training.network.summary import summarize
from cpunet.training.planning.machine import stay_within_cores, this_machine
from cpunet.training.planning.plan import make_plan
from cpunet.training.planning.plan_file import plan_as_text, write_plan
from cpunet.training.planning.sanity_check import PATCHES_FILE, check_training
from cpunet.training.train import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what to train, and on what")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="ROOT", help="folder that holds the data sets (data)"
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder for checkpoints and logs (runs/NAME)")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--plan",
        action="store_true",
        help="write CONFIG.yaml from the data and this machine, with reasons; train nothing",
    )
    instead.add_argument(
        "--check", action="store_true", help="check loss, learning and patches within a minute or two; train nothing"
    )
    parser.add_argument(
        "--sets", nargs="+", default=[], metavar="SET", help="with --plan: folders below ROOT to train on (all of them)"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="train, or plan, so many steps")
    parser.add_argument(
        "--from", dest="start_from", default="", metavar="MODEL", help="fine-tune: a model's folder or name, or weights"
    )
    parser.add_argument(
        "--freeze", choices=["encoder"], help="with --from: keep these weights as they are, and train the rest"
    )


def run(arguments: argparse.Namespace) -> int:
    """Plan, check or train, and return 1 if a check failed."""
    stay_within_cores()
    if arguments.plan:
        return _plan(arguments)
    config = _with_choices(read_config(arguments.config), arguments)
    run_folder = arguments.run or Path("runs") / config.name
    print(f"network: {summarize(build_network(config), config.patch_size, config.precision)}")
    if arguments.check:
        return _check(config, arguments.data, run_folder)
    try:
        weights = train(config, arguments.data, run_folder)
    except torch.OutOfMemoryError:
        raise ConfigError("the GPU's memory is too small: lower batch_size or patch_size.") from None
    except MisconfigurationException as error:  # such as more devices than there are
        raise ConfigError(str(error)) from error
    print(f"trained weights: {weights}\nnext: cpunet export {weights} -o models/{config.name}/model.onnx --data ROOT")
    return 0


def _with_choices(config: TrainingConfig, arguments: argparse.Namespace) -> TrainingConfig:
    """Return a configuration with the values that the command line gives."""
    given = {"start_from": arguments.start_from, "frozen": arguments.freeze, "steps": arguments.steps}
    return replace(config, **{name: value for name, value in given.items() if value not in (None, "")})


def _plan(arguments: argparse.Namespace) -> int:
    given = {"steps": arguments.steps, "frozen": arguments.freeze}
    given = {name: value for name, value in given.items() if value is not None}
    folders = data_sets_below(arguments.data, arguments.sets)
    plan = make_plan(arguments.config.stem, folders, this_machine(), arguments.start_from, given)
    write_plan(arguments.config, plan)
    print(f"{plan_as_text(plan)}\nwritten: {arguments.config}")
    return 0


def _check(config: TrainingConfig, root: Path, run_folder: Path) -> int:
    """Run the sanity checks; return 0 if training may begin, else 1."""
    checks = check_training(config, root, run_folder)
    print("\n".join(map(str, checks)))
    print(f"look at {run_folder / PATCHES_FILE}: image, outlines, each target, and pixel weights, after augmentation")
    return 0 if all(check.passed for check in checks) else 1
