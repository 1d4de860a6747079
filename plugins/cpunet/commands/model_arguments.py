"""The arguments of all commands that run a model on images: which model, where, and the size of the objects."""

from __future__ import annotations

import argparse

from cpunet.model.find import DEFAULT_MODEL
from cpunet.model.session import DEVICES


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model``, ``--device`` and ``--diameter``."""
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help=f"a model's name, folder or .onnx file ({DEFAULT_MODEL})",
    )
    parser.add_argument("--device", choices=DEVICES, default="automatic", help="where the network runs")
    parser.add_argument(
        "--diameter",
        type=float,
        metavar="PX",
        help="typical diameter of the objects; by default it is measured on each image",
    )
