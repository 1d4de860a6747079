"""``cpunet train-review``: the images with the highest and the lowest loss of a training, and its curves."""

from __future__ import annotations

import argparse
from pathlib import Path

from cpunet.errors import OptionError, WeightsError
from cpunet.files.outputs import check_output
from cpunet.training.data.data_sets import HELP, data_root
from cpunet.training.evaluation.torch_model import torch_model
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.quiet import quiet_libraries
from cpunet.training.run_review.image_losses import image_losses, weights_of_run
from cpunet.training.run_review.page import LOSSES_FILE, PAGE, write_review
from cpunet.training.weights import load_trained

SHOWN = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a training's run, finished or not")
    parser.add_argument("--data", nargs="+", type=Path, default=[Path("data")], metavar="FOLDER", help=f"{HELP} (data)")
    parser.add_argument("--split", default="val", help="which images are reviewed (val)")
    parser.add_argument(
        "--images",
        type=int,
        default=SHOWN,
        metavar="N",
        help=f"so many images of the highest loss are shown, and as many of the lowest ({SHOWN})",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder for the page (RUN/review)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files in DIR that cpunet did not write, or that were changed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Compute the losses, and write the page."""
    if arguments.images < 0:
        raise OptionError(f"--images must be 0 or more; it is {arguments.images}.")
    with quiet_libraries():
        stay_within_cores()
        weights = weights_of_run(arguments.run_folder)
        folder = arguments.output or weights.parent / "review"
        for name in (PAGE, LOSSES_FILE):
            check_output(folder / name, overwrite=arguments.overwrite)
        trained = load_trained(weights)
        if "data" not in trained.facts:
            raise WeightsError(f"{weights}: these weights do not say what they were trained on. Give a run's folder.")
        root = data_root(arguments.data, [source.folder for source in trained.config.data])
        losses = image_losses(trained, root, arguments.split)
        steps = trained.facts.get("steps", trained.config.steps)
        write_review(folder, weights.parent, torch_model(trained), losses, arguments.split, steps, arguments.images)
    worst = losses[0]
    print(f"{len(losses)} images; the highest loss has {'/'.join(worst.row.key)}: {worst.loss:.4f}")
    print(f"open {folder / PAGE}")
    return 0
