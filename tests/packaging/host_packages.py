"""A Python that has CellProfiler's own packages and nothing more, as its installed application does."""

import re
import sys
from importlib import metadata
from pathlib import Path

# Required by CellProfiler's start script, though its metadata does not name it.
ROOTS = ("cellprofiler", "setuptools")


def required_packages(roots=ROOTS):
    """Return the distributions that are needed, directly or indirectly, and are installed here, by name."""
    found, wanted = {}, list(roots)
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # such as wxPython, where CellProfiler runs without its window
        wanted += [
            re.match(r"[\w.-]+", requirement).group()
            for requirement in found[name].requires or []
            if "extra ==" not in requirement
        ]
    return found


def link_host_packages(folder):
    """Fill a folder with links to the packages that CellProfiler needs.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of str
        The command that starts a Python; it needs the folder as its PYTHONPATH.
    """
    folder.mkdir()
    for distribution in required_packages().values():
        for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not top.endswith(".pth"):
                (folder / top).symlink_to(Path(distribution.locate_file(top)).resolve())
    return [sys.executable, "-S"]  # without the site-packages of this Python
