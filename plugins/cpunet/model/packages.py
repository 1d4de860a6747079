"""onnxruntime beside the plugin, for an application that cannot install packages."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Optional

PLUGINS_FOLDER = Path(__file__).resolve().parents[2]
PACKAGES_FOLDER = PLUGINS_FOLDER / "cpunet_packages"
PYTHON_VERSION = "{}.{}".format(*sys.version_info)


def packages_folder_of_this_python() -> Path:
    """Return the folder for packages of this version of Python, such as cpunet_packages/python3.9.

    Compiled packages of one version do not load in another. The folder need not exist.
    """
    return PACKAGES_FOLDER / f"python{PYTHON_VERSION}"


def add_bundled_packages() -> None:
    """Add the plugin's own folders to the end of ``sys.path``.

    There, they cannot replace any package of CellProfiler, nor an onnxruntime that Python has already.
    """
    for folder in (packages_folder_of_this_python(), PACKAGES_FOLDER):
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))


def onnxruntime_is_there() -> bool:
    """Return True if onnxruntime can be found, without loading it; an empty folder of its name does not count."""
    spec = _spec_of_onnxruntime()
    return spec is not None and spec.origin is not None


def place_of_onnxruntime() -> Optional[str]:
    """Return the folder or file that Python takes for onnxruntime; None if there is none."""
    spec = _spec_of_onnxruntime()
    if spec is None:
        return None
    return next(iter(spec.submodule_search_locations or ()), spec.origin)


def _spec_of_onnxruntime() -> Optional[ModuleSpec]:
    add_bundled_packages()
    try:
        return importlib.util.find_spec("onnxruntime")
    except ValueError:  # Python raises it where something else has taken the name
        return None
