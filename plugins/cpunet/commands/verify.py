"""``cpunet verify``: check whether a model file does what its card promises."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import sys
from pathlib import Path
from typing import Any, Optional

from cpunet.checks.verify import Reference, verify_model
from cpunet.errors import OptionError
from cpunet.model.find import find_model
from cpunet.model.session import import_onnxruntime
from cpunet.onnx_reader.metadata import sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="MODEL", help="a model's name, folder or .onnx file")
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="the data sets of the card's scores, or folders that hold them: scores their val images again (needs "
        "cpunet[training] and the model's weights.safetensors beside it)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print each check, and return 1 if one failed."""
    path = find_model(arguments.file)
    onnxruntime = import_onnxruntime()
    training = training_world()
    if training is None and arguments.data:
        raise OptionError(
            "--data scores labeled images, for which the training packages are needed: install cpunet[training]."
        )
    print(f"{path}, with onnxruntime {onnxruntime.__version__} on Python {sys.version.split()[0]}")
    reference: Optional[Reference] = training.torch_reference(path) if training else None
    further = training.further_checks(path, arguments.data) if training else ()
    for result in itertools.chain(verify_model(path, reference), further):
        print(f"{'passed' if result.passed else 'FAILED'}  {result.check}: {result.text}")
        if not result.passed:
            return 1
    if reference is None:
        why = "no weights.safetensors beside the file" if training else "needs cpunet[training]"
        print(f"not compared with torch ({why})")
    print(f"all checks passed; sha256 {sha256(path)}")
    return 0


def training_world() -> Any:
    """Return the module with the checks that need torch, or None where the training packages are not installed."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("cpunet.export") is None:
        return None
    return importlib.import_module("cpunet.export.torch_checks")
