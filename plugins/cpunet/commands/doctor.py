"""``cpunet doctor``: report what is installed, whether the models work, and the device that a session really gets."""

from __future__ import annotations

import argparse
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, List, Optional, TypeVar

from cpunet import __version__
from cpunet.checks.device import measure
from cpunet.checks.stored_test import STORED_TEST_KEY
from cpunet.errors import CpunetError, ModelError
from cpunet.model.find import list_models
from cpunet.model.packages import add_bundled_packages
from cpunet.model.session import import_onnxruntime, open_model
from cpunet.onnx_reader.metadata import metadata_of, sha256
from cpunet.onnx_reader.model_file import read_model_file

Found = TypeVar("Found")
PACKAGES = ("numpy", "scipy", "scikit-image", "onnxruntime", "onnxruntime-gpu", "cellprofiler", "torch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments; there is none."""


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis, and return 1 if there is a problem.

    Each part of it has a guard of its own: what is broken must not keep the rest from being reported.
    """
    print(f"cpunet {__version__}, Python {platform.python_version()} on {platform.platform()}")
    diagnosed(_packages)
    models = diagnosed(list_models)
    readable = {}
    for name, path in (models or {}).items():
        lines = diagnosed(_file, name, path)
        if lines is not None:
            print("\n".join(lines))
            readable[name] = path
    if models == {}:
        print("PROBLEM: no model was found; see `cpunet models`.")
    if diagnosed(_runtime) is None or not models:
        return 1
    problems = len(models) - len(readable)
    for name, path in readable.items():
        problems += diagnosed(_use, name, path) is None
    print("Everything works." if not problems else f"Models with a problem: {problems}.")
    return 1 if problems else 0


def diagnosed(look: Callable[..., Found], *given: Any) -> Optional[Found]:
    """Return what a function finds, or print why it fails and return None."""
    try:
        return look(*given)
    except Exception as error:
        about = f"model {given[0]}: " if given else ""
        kind = "" if isinstance(error, (CpunetError, OSError)) else f"{type(error).__name__}: "
        print(f"PROBLEM: {about}{kind}{error}")
        return None


def _packages() -> bool:
    add_bundled_packages()  # so that an onnxruntime beside the plugin counts as installed
    for package in PACKAGES:
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            version = "not installed"
        except Exception as error:  # the remains of an installation
            version = f"broken ({type(error).__name__}: {error})"
        print(f"    {package:16} {version}")
    return True


def _file(name: str, path: Path) -> List[str]:
    if not path.is_file():  # to open a named pipe would wait for ever
        what = "a folder" if path.is_dir() else "no file, or a link that leads to none"
        raise ModelError(f"{path} is {what}; a model is one file. Put the file there, or remove that.")
    return [f"model {name}", f"    file      {path}", f"    sha256    {sha256(path)}"]


def _runtime() -> bool:
    print(f"onnxruntime offers {', '.join(import_onnxruntime().get_available_providers())}")
    return True


def _use(name: str, path: Path) -> bool:
    file = read_model_file(path)
    found = measure(open_model(file), metadata_of(file).get(STORED_TEST_KEY))
    print("\n".join([f"model {name}", *(f"    {line}" for line in found.lines)]))
    if found.problem:
        raise ModelError(found.problem)
    return True
