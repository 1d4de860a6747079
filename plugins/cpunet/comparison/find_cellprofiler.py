"""Find the CellProfiler that runs both modules."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import List, Optional

from cpunet.errors import ComparisonError

# Where the installed application is, and its names on the search path.
APPLICATIONS = (
    Path("/Applications/CellProfiler.app/Contents/MacOS/cp"),
    Path("C:/Program Files/CellProfiler/CellProfiler.exe"),
)
PROGRAMS = ("cellprofiler", "CellProfiler")


def find_cellprofiler(given: Optional[Path] = None) -> List[str]:
    """Return the words that begin CellProfiler's command line.

    Parameters
    ----------
    given : Path, optional
        The program, or a Python that has CellProfiler. By default this Python, if it has it; else the program on the
        search path or in its usual place.

    Raises
    ------
    ComparisonError
        If there is none.
    """
    if given is not None:
        found = shutil.which(str(given))
        if found is None:
            raise ComparisonError(
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
    raise ComparisonError(
        "CellProfiler was not found: this Python does not have it, and there is no program cellprofiler. Give the path "
        "of CellProfiler's program, or of a Python that has it: --cellprofiler PATH. To install it: docs/install.md"
    )


def _command(program: str) -> List[str]:
    """Call a Python with the module, and the program as it is."""
    is_python = Path(program).name.lower().startswith("python")
    return [program, "-m", "cellprofiler"] if is_python else [program]
