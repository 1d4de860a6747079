"""``cpunet search``: short trainings with other numbers, and the configuration of the best."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from cpunet.errors import ConfigError
from cpunet.training.commands.config_arguments import add_config_and_data, add_sets_and_channels
from cpunet.training.config import SEARCH, read_content
from cpunet.training.optimizers import judging_metric
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.planning.recipe import find_config, read_completed
from cpunet.training.quiet import quiet_libraries
from cpunet.training.search.results import BEST_FILE, PICTURE_FILE, TABLE_FILE, check_results, write_results
from cpunet.training.search.run import Search, run_search, sums_of_images
from cpunet.training.search.space import read_space

TRIALS, STEPS = 20, 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_and_data(parser)
    add_sets_and_channels(parser)
    parser.add_argument(
        "--trials",
        type=int,
        default=TRIALS,
        metavar="N",
        help=f"short trainings in all, those of an earlier start included ({TRIALS})",
    )
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"steps of each trial ({STEPS})")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="folder for the trials and results (runs/NAME_search)"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace results in DIR that cpunet did not write, or that were changed",
    )


def run(arguments: argparse.Namespace) -> int:
    """Search, and write the best configuration."""
    for option, value in (("--trials", arguments.trials), ("--steps", arguments.steps)):
        if value < 1:
            raise ConfigError(f"{option} must be 1 or more; it is {value}.")
    with quiet_libraries():
        stay_within_cores()
        path = find_config(arguments.config)
        config, root = read_completed(path, arguments.data, arguments.sets, arguments.channels)
        content = {
            **read_content(path),
            "data": [_plain(asdict(source)) for source in config.data],
            "channels": list(config.channels),
        }
        try:
            space = read_space(content)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
        folder = arguments.output or Path("runs") / f"{config.name}_search"
        check_results(folder, arguments.overwrite)
        said = "in its section `search`" if SEARCH in content else "the usual ones, as the file has no section `search`"
        print(f"searching {', '.join(number.name for number in space)}: {said}")
        search = Search(content, root, space, arguments.trials, arguments.steps, folder, sums_of_images(config, root))
        study = run_search(search)
        metric, _ = judging_metric(config)
        best = write_results(search, study, metric)
    print(f"best: trial {best.number + 1}, {metric} {best.value:.4f}")
    print(f"look at {folder / PICTURE_FILE} and {folder / TABLE_FILE}")
    print(f"next: cpunet train {folder / BEST_FILE} --data {root}")
    return 0


def _plain(source: dict[str, object]) -> dict[str, object]:
    """Return a data source without empty fields, and with lists, as YAML has them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in source.items() if value}
