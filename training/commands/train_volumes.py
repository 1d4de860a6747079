"""``cpunet train-volumes``: a YAML file and data sets in, weights of a 3-D U-Net out; also its plan and its checks."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from cpunet.errors import ConfigError
from cpunet.training.commands.config_arguments import add_data
from cpunet.training.commands.plan_and_check import code_of_checks, say_checks, write_and_say
from cpunet.training.config import read_config
from cpunet.training.data.data_sets import check_names, data_root, find_data_sets, the_only
from cpunet.training.planning.machine import stay_within_cores, this_machine
from cpunet.training.planning.plan_file import check_plan_is_new
from cpunet.training.quiet import quiet_libraries
from cpunet.training.train import ON_VOLUMES, tuned_at_the_end
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.network import summarize_volumes
from cpunet.training.volumes.patches.sources import resolved
from cpunet.training.volumes.planning.duration import measure_volume_duration
from cpunet.training.volumes.planning.plan import make_volume_plan
from cpunet.training.volumes.planning.sanity_check import check_volume_training
from cpunet.training.volumes.train import train_volumes
from cpunet.training.volumes.weights import build_volume_network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="what to train, and on what")
    add_data(parser)
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
    parser.add_argument("--sets", nargs="+", default=[], metavar="SET", help="with --plan: only these of the data sets")
    parser.add_argument(
        "--z-step",
        type=float,
        metavar="PX",
        help="with --plan: distance of the planes over the width of a pixel, where index.csv does not say it",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="train, or plan, so many steps")
    length.add_argument(
        "--minutes", type=float, metavar="M", help="with --plan: no more steps than fit into so many minutes here"
    )


def run(arguments: argparse.Namespace) -> int:
    """Plan, check or train, and return 1 if a check failed."""
    with quiet_libraries():
        stay_within_cores()
        return _plan(arguments) if arguments.plan else _train_or_check(arguments)


def _train_or_check(arguments: argparse.Namespace) -> int:
    for name in ("minutes", "z_step", "sets"):
        if getattr(arguments, name) not in (None, []):
            raise ConfigError(f"--{name.replace('_', '-')} goes with --plan. Plan anew, or write it into the file.")
    config = read_config(arguments.config, VolumeConfig)
    if arguments.steps is not None:
        config = replace(config, steps=arguments.steps)
    root = data_root(arguments.data, [source.folder for source in config.data])
    config = resolved(config, root)
    patch = config.patch_planes, config.patch_size, config.patch_size
    print(f"network: {summarize_volumes(build_volume_network(config), patch, config.precision)}")
    run_folder = arguments.run or Path("runs") / config.name
    try:
        if arguments.check:
            return _check(config, root, run_folder)
        print(tuned_at_the_end(config, ON_VOLUMES))
        weights = train_volumes(config, root, run_folder)
    except torch.OutOfMemoryError:
        raise ConfigError("the GPU's memory is too small: lower batch_size, patch_size or patch_planes.") from None
    print(f"trained weights: {weights}\nnext: cpunet export {weights} -o models/{config.name}/model.onnx --data {root}")
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    check_plan_is_new(arguments.config)  # before volumes are read, which takes a while
    given = {} if arguments.steps is None else {"steps": arguments.steps}
    folders = find_data_sets(arguments.data, arguments.sets)
    check_names(folders)
    root = the_only(folder.resolve().parent for folder in folders)
    asked = arguments.config.stem, folders, this_machine(), arguments.z_step
    plan = make_volume_plan(*asked, given)
    measured = measure_volume_duration(plan.config, root)
    if arguments.minutes is not None and (fits := measured.steps_within(arguments.minutes)) < plan.config.steps:
        plan = make_volume_plan(*asked, {**given, "steps": fits})
        plan = replace(plan, reasons={**plan.reasons, "steps": f"what fits into {arguments.minutes:g} minutes here"})
        measured = measured.of(plan.config)
    write_and_say(plan, arguments.config, measured, tuned_at_the_end(plan.config, ON_VOLUMES))
    return 0


def _check(config: VolumeConfig, root: Path, run_folder: Path) -> int:
    """Run the sanity checks; return 0 if training may begin, else 1."""
    checks = check_volume_training(config, root, run_folder)
    say_checks(checks)
    duration = measure_volume_duration(config, root)
    return code_of_checks(checks, duration, tuned_at_the_end(config, ON_VOLUMES), run_folder, "voxel")
