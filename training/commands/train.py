"""``cpunet train``: a YAML file and data sets in, a checkpoint and weights out; also its plan and its checks."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from cpunet.errors import ConfigError
from cpunet.files.outputs import check_output
from cpunet.model.find import MODEL_FILE
from cpunet.training.commands.config_arguments import add_channels, add_config_and_data
from cpunet.training.commands.plan_and_check import code_of_checks, say_checks, write_and_say
from cpunet.training.config import TrainingConfig
from cpunet.training.data.data_sets import check_names, find_data_sets, the_only
from cpunet.training.folds.out_of_fold import FOLDER
from cpunet.training.folds.run import folder_of_fold, train_folds
from cpunet.training.network.build import build_network
from cpunet.training.network.summary import summarize
from cpunet.training.planning.duration import measure_duration
from cpunet.training.planning.machine import stay_within_cores, this_machine
from cpunet.training.planning.plan import make_plan
from cpunet.training.planning.plan_file import check_plan_is_new
from cpunet.training.planning.recipe import find_config, read_completed
from cpunet.training.planning.sanity_check import check_training
from cpunet.training.quiet import quiet_libraries
from cpunet.training.train import check_is_folder, train, tuned_at_the_end

# The folder of a run with folds that gets their mean.
AVERAGE_FOLDER = "average"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_and_data(parser)
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
        "--sets", nargs="+", default=[], metavar="SET", help="plan for, or train on, only these of the data sets"
    )
    add_channels(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="train, or plan, so many steps")
    length.add_argument(
        "--minutes", type=float, metavar="M", help="with --plan: no more steps than fit into so many minutes here"
    )
    parser.add_argument(
        "--from", dest="start_from", default="", metavar="MODEL", help="fine-tune: a model's folder or name, or weights"
    )
    parser.add_argument(
        "--freeze", choices=["encoder"], help="with --from: keep these weights as they are, and train the rest"
    )

    instead.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help="train K networks, each without another part of the images, and write one model file that averages them",
    )
    parser.add_argument(
        "--each-fold", action="store_true", help="with --folds: write a model file of each network, too"
    )


def run(arguments: argparse.Namespace) -> int:
    """Plan, check or train, and return 1 if a check failed."""
    with quiet_libraries():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    stay_within_cores()
    if arguments.plan:
        return _plan(arguments)
    if arguments.minutes is not None:
        raise ConfigError("--minutes goes with --plan, which turns them into steps. Plan anew, or give --steps.")
    if arguments.each_fold and arguments.folds is None:
        raise ConfigError("--each-fold goes with --folds, which says how many networks are trained.")
    path = find_config(arguments.config)
    config, root = read_completed(path, arguments.data, arguments.sets, arguments.channels)
    config = _with_choices(config, arguments)
    run_folder = arguments.run or Path("runs") / (f"{config.name}_folds" if arguments.folds else config.name)
    if path != arguments.config:
        print(f"recipe: {path}; copy it to change it")
    print(f"network: {summarize(build_network(config), config.patch_size, config.precision)}")
    if arguments.check:
        return _check(config, root, run_folder)
    try:
        if arguments.folds is not None:
            return _train_folds(config, root, run_folder, arguments.folds, arguments.each_fold)
        print(tuned_at_the_end(config))
        weights = train(config, root, run_folder)
    except torch.OutOfMemoryError:
        raise ConfigError("the GPU's memory is too small: lower batch_size or patch_size.") from None
    except MisconfigurationException as error:  # such as more devices than there are
        raise ConfigError(str(error)) from error
    print(f"trained weights: {weights}\nnext: cpunet export {weights} -o models/{config.name}/model.onnx --data {root}")
    return 0


def _train_folds(config: TrainingConfig, root: Path, run_folder: Path, folds: int, each_fold: bool) -> int:
    """Train all folds, and export their mean; also each of them if wanted."""
    from cpunet.export.average import export_average  # onnx takes seconds to import
    from cpunet.export.export_model import export_model

    output = run_folder / AVERAGE_FOLDER / MODEL_FILE
    check_is_folder(run_folder)
    each = [folder_of_fold(run_folder, number) / MODEL_FILE for number in range(1, folds + 1)] if each_fold else []
    for path in (output, *each):
        check_output(path)
    done = train_folds(config, root, run_folder, folds)
    for name, scores in done.found.scores.items():
        shown = ", ".join(f"{what} {value:g}" for what, value in scores.items())
        print(f"    {name}, out of fold: {shown}")
    print(f"predictions and scores of the images left out: {run_folder / FOLDER}")
    command = f"cpunet train CONFIG.yaml --data DATA --folds {folds}"
    export_average(run_folder, output, command)
    for weights, path in zip(done.weights, each, strict=False):
        export_model(weights, path, root)
    print(f"next: cpunet evaluate --model {output} --data DATA")
    return 0


def _with_choices(config: TrainingConfig, arguments: argparse.Namespace) -> TrainingConfig:
    """Return a configuration with the values that the command line gives."""
    given = {"start_from": arguments.start_from, "frozen": arguments.freeze, "steps": arguments.steps}
    return replace(config, **{name: value for name, value in given.items() if value not in (None, "")})


def _plan(arguments: argparse.Namespace) -> int:
    check_plan_is_new(arguments.config)  # before images are read, which takes a while
    given = {"steps": arguments.steps, "frozen": arguments.freeze, "channels": arguments.channels or None}
    given = {name: value for name, value in given.items() if value is not None}
    folders = find_data_sets(arguments.data, arguments.sets)
    check_names(folders)
    root = the_only(folder.resolve().parent for folder in folders)
    plan = make_plan(arguments.config.stem, folders, this_machine(), arguments.start_from, given)
    measured = measure_duration(plan.config, root)
    if arguments.minutes is not None and (fits := measured.steps_within(arguments.minutes)) < plan.config.steps:
        given["steps"] = fits
        plan = make_plan(arguments.config.stem, folders, this_machine(), arguments.start_from, given)
        plan = replace(plan, reasons={**plan.reasons, "steps": f"what fits into {arguments.minutes:g} minutes here"})
        measured = measured.of(plan.config)
    write_and_say(plan, arguments.config, measured, tuned_at_the_end(plan.config))
    return 0


def _check(config: TrainingConfig, root: Path, run_folder: Path) -> int:
    """Run the sanity checks; return 0 if training may begin, else 1."""
    checks = check_training(config, root, run_folder)
    say_checks(checks)
    return code_of_checks(checks, measure_duration(config, root), tuned_at_the_end(config), run_folder, "pixel")
