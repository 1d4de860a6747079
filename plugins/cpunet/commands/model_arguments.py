"""The arguments of all commands that run models on images: which, where, in how many views, the size of objects."""

from __future__ import annotations

import argparse
from typing import Any, Dict, Optional

from cpunet.choice.chooser import Chooser, load_chooser
from cpunet.errors import OptionError
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import DEVICES
from cpunet.options import AUGMENTATIONS

AVERAGE, CHOOSE = "average", "choose"
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
    """Declare ``--average-with``, ``--combine``, ``--chooser``, ``--views``, ``--view-scales`` and ``--crops``."""
    parser.add_argument(
        "--average-with",
        "--further-models",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME|FILE",
        help="further models to combine with --model; their probabilities are averaged by default",
    )
    parser.add_argument(
        "--combine",
        choices=(AVERAGE, CHOOSE),
        default=AVERAGE,
        help="how several models are combined: average their probabilities, or choose object by object the model that "
        "found it best, by --chooser (average)",
    )
    parser.add_argument(
        "--chooser",
        metavar="FILE",
        help="the file that chooses among --model and the further models, as `cpunet combine` writes it",
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


def opened_chooser(arguments: argparse.Namespace) -> Optional[Chooser]:
    """Open the file that chooses among the models of a command; None where they are averaged.

    Raises OptionError if --combine and --chooser do not fit together, and ModelError if the file cannot be used.
    """
    if arguments.combine == AVERAGE:
        if arguments.chooser is not None:
            raise OptionError("--chooser is for --combine choose, and the models are to be averaged. Leave out one.")
        return None
    if arguments.chooser is None:
        raise OptionError(
            "--combine choose needs the file that chooses: --chooser FILE, as `cpunet combine` writes it."
        )
    return load_chooser(find_model(arguments.chooser))
