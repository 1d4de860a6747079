"""The arguments of all commands that run models on images: which, where, in how many views, the size of objects."""

from __future__ import annotations

import argparse
from typing import Any, Dict

from cpunet.model.find import DEFAULT_MODEL
from cpunet.model.session import DEVICES
from cpunet.options import AUGMENTATIONS

# How many views of an image each augmentation shows to the network.
VIEWS = {len(views): name for name, views in AUGMENTATIONS.items()}


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model``, ``--device`` and ``--diameter``."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help=f"a model's name, folder or .onnx file ({DEFAULT_MODEL})",
    )
    add_device_and_diameter(parser)


def add_device_and_diameter(parser: argparse.ArgumentParser) -> None:
    """Declare ``--device`` and ``--diameter``."""
    parser.add_argument("--device", choices=DEVICES, default="automatic", help="where the network runs")
    parser.add_argument(
        "--diameter",
        type=float,
        metavar="PX",
        help="typical diameter of the objects; by default it is measured on each image",
    )


def add_averaging(parser: argparse.ArgumentParser) -> None:
    """Declare ``--average-with``, ``--views``, ``--view-scales`` and ``--crops``."""
    parser.add_argument(
        "--average-with",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME|FILE",
        help="further models, whose probabilities are averaged with those of --model",
    )
    parser.add_argument(
        "--views",
        type=int,
        choices=sorted(VIEWS),
        default=1,
        help="average the probabilities of so many views of each image: 1, the image itself; 4, flipped; 8, flipped "
        "and rotated; it takes so many times as long (1)",
    )
    parser.add_argument(
        "--view-scales",
        type=float,
        nargs="+",
        default=[1.0],
        metavar="F",
        help="average the probabilities of each image at so many times its size, such as 0.8 1 1.25 (1)",
    )
    parser.add_argument(
        "--crops",
        type=int,
        metavar="PX",
        help="average the probabilities of squares of this side that overlap by half; it takes about 4 times as long",
    )


def views_of(arguments: argparse.Namespace) -> Dict[str, Any]:
    """Return the fields of `cpunet.options.Options` that say which views of an image are averaged."""
    return {
        "augmentation": VIEWS[arguments.views],
        "view_scales": tuple(arguments.view_scales),
        "crop_px": arguments.crops,
    }
