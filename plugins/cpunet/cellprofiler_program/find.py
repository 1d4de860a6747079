"""Find the installed CellProfiler, and the Python that has it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import List, Union

from cpunet.errors import OptionError, RuntimeMissingError

# Where the installed application is, and its names on the search path.
APPLICATIONS = (
    Path("/Applications/CellProfiler.app/Contents/MacOS/cp"),
    Path("C:/Program Files/CellProfiler/CellProfiler.exe"),
)
PROGRAMS = ("cellprofiler", "CellProfiler")
PYTHONS = ("python", "python3", "python.exe")


def find_cellprofiler(given: Union[str, Path, None] = None) -> List[str]:
    """Return the words that begin CellProfiler's command line.

    Parameters
    ----------
    given : str or Path, optional
        The program, or a Python that has CellProfiler. By default this Python, if it has it; else the program on the
        search path or in its usual place.

    Raises
    ------
    OptionError
        If there is no such program.
    RuntimeMissingError
        If there is none at all.
    """
    if given is not None:
        found = shutil.which(str(given))
        if found is None:
            raise OptionError(
                f"--cellprofiler {given}: there is no such program. Give the path of CellProfiler's program, or of a "
                "Python that has CellProfiler."
            )
        return _command(found)
    if importlib.util.find_spec("cellprofiler") is not None:
        return _command(sys.executable)
    programs = [shutil.which(name) for name in PROGRAMS] + [str(path) for path in APPLICATIONS if path.is_file()]
    for program in programs:
        if program is not None:
            return _command(program)
    raise RuntimeMissingError(
        "CellProfiler was not found: this Python does not have it, and there is no program cellprofiler. Give the path "
        "of CellProfiler's program, or of a Python that has it: --cellprofiler PATH. To install it: docs/install.md"
    )


def find_python(given: Union[str, Path, None] = None) -> str:
    """Return the path of the Python that has CellProfiler; see `find_cellprofiler`.

    Raises
    ------
    OptionError
        If there is no such program.
    RuntimeMissingError
        If there is none at all, or the program is an application, whose Python is inside it.
    """
    program, *module = find_cellprofiler(given)
    if module:
        return os.path.abspath(program)
    folder = Path(program).resolve().parent
    for python in (folder / name for name in PYTHONS):
        if python.is_file():
            return str(python)
    raise RuntimeMissingError(
        f"{program} is a CellProfiler without a Python beside it, which is needed here. Install CellProfiler into a "
        "Python (docs/install.md), and give that: --cellprofiler PYTHON"
    )


def _command(program: str) -> List[str]:
    """Call a Python with the module, and the program as it is."""
    is_python = Path(program).name.lower().startswith("python")
    return [program, "-m", "cellprofiler"] if is_python else [program]
