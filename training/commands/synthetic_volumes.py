"""``cpunet data synthetic-volumes``: make labeled volumes of drawn nuclei with real textures."""

from __future__ import annotations

import argparse
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.find import find_folders
from cpunet.training.data.data_sets import HELP, find_data_sets
from cpunet.training.volumes.synthetic.recipe import VolumeRecipe
from cpunet.training.volumes.synthetic.write_set import SyntheticSet, write_synthetic_set

DEFAULTS = VolumeRecipe()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="the new data set")
    parser.add_argument(
        "--textures",
        nargs="+",
        type=Path,
        required=True,
        metavar="SET",
        help=f"{HELP}; images of one plane, whose nuclei give the textures",
    )
    parser.add_argument(
        "--license", required=True, metavar="TEXT", help="of these images, and so of the volumes; such as CC0-1.0"
    )
    parser.add_argument("--train", type=int, default=150, metavar="N", help="volumes to train on (150)")
    parser.add_argument("--val", type=int, default=15, metavar="N", help="volumes to validate on (15)")
    parser.add_argument(
        "--shape",
        nargs=3,
        type=int,
        default=DEFAULTS.shape,
        metavar=("Z", "Y", "X"),
        help=f"planes, rows and columns of each volume {DEFAULTS.shape}",
    )
    parser.add_argument(
        "--diameters",
        nargs=2,
        type=float,
        default=DEFAULTS.diameters_px,
        metavar=("LOW", "HIGH"),
        help=f"typical diameter of nuclei, in widths of a pixel, from volume to volume {DEFAULTS.diameters_px}",
    )
    parser.add_argument(
        "--z-steps",
        nargs=2,
        type=float,
        default=DEFAULTS.z_steps_px,
        metavar=("LOW", "HIGH"),
        help=f"distance of planes over the width of a pixel, from volume to volume {DEFAULTS.z_steps_px}",
    )
    parser.add_argument(
        "--outline-level",
        type=float,
        default=DEFAULTS.outline_level,
        metavar="SHARE",
        help="labels reach to this share of a nucleus' largest brightness, blurred as it is seen; 0: the nucleus as it "
        f"is, before the blur ({DEFAULTS.outline_level})",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same one makes the same volumes (1)")
    parser.set_defaults(do=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the volumes, and return 0."""
    for option in ("train", "val", "seed"):
        value, least = getattr(arguments, option), 1 if option == "train" else 0
        if value < least:
            raise DataError(f"--{option} {value}: a whole number from {least} on is needed.")
    recipe = VolumeRecipe(
        tuple(arguments.shape), tuple(arguments.diameters), tuple(arguments.z_steps), arguments.outline_level
    )
    textures = tuple(find_data_sets(find_folders(arguments.textures)))
    wanted = SyntheticSet(recipe, textures, arguments.train, arguments.val, arguments.seed, arguments.license)
    notes = write_synthetic_set(wanted, arguments.output)
    print("\n".join([*notes, f"next: cpunet data check {arguments.output} --report check.html"]))
    return 0
