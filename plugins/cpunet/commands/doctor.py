"""``cpunet doctor``: report what is installed, whether the models work, and the device that a session really gets."""

from __future__ import annotations

import argparse
import platform
from importlib import metadata

from cpunet import __version__
from cpunet.checks.device import measure
from cpunet.checks.stored_test import STORED_TEST_KEY
from cpunet.errors import CpunetError, RuntimeMissingError
from cpunet.model.find import list_models
from cpunet.model.packages import add_bundled_packages
from cpunet.model.session import import_onnxruntime, open_model
from cpunet.onnx_reader.metadata import metadata_of, sha256
from cpunet.onnx_reader.model_file import read_model_file

PACKAGES = ("numpy", "scipy", "scikit-image", "onnxruntime", "onnxruntime-gpu", "cellprofiler", "torch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; there is none."""


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis, and return 1 if there is a problem."""
    add_bundled_packages()  # so that an onnxruntime beside the plugin counts as installed
    print(f"cpunet {__version__}, Python {platform.python_version()} on {platform.platform()}")
    for package in PACKAGES:
        try:
            print(f"    {package:16} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"    {package:16} not installed")
    models = list_models()
    for name, path in models.items():
        print(f"model {name}\n    file      {path}\n    sha256    {sha256(path)}")
    try:
        onnxruntime = import_onnxruntime()
    except RuntimeMissingError as error:
        print(f"PROBLEM: {error}")
        return 1
    print(f"onnxruntime offers {', '.join(onnxruntime.get_available_providers())}")
    if not models:
        print("PROBLEM: no model was found; see `cpunet models`.")
        return 1
    problems = 0
    for name, path in models.items():
        try:
            file = read_model_file(path)
            found = measure(open_model(file), metadata_of(file).get(STORED_TEST_KEY))
            print("\n".join([f"model {name}", *(f"    {line}" for line in found.lines)]))
            if found.problem:
                problems += 1
                print(f"PROBLEM: model {name}: {found.problem}")
        except CpunetError as error:
            problems += 1
            print(f"PROBLEM: model {name}: {error}")
    print("Everything works." if not problems else f"Models with a problem: {problems}.")
    return 1 if problems else 0
