"""A plugins directory for one run of CellProfiler, which takes only one: the user's modules, ours, and the recorder."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from cpunet.errors import ComparisonError
from cpunet.model.packages import PLUGINS_FOLDER

RECORDER = PLUGINS_FOLDER / "cpunet" / "plugin" / "recordcomparison.py"
# CellProfiler knows a module by its file's name, and looks at __file__ for it. The file runs as if it were read from
# its own folder, beside which it may have packages.
STAND_IN = """\
import sys
if {folder!r} not in sys.path:
    sys.path.insert(0, {folder!r})
__file__ = {path!r}
with open(__file__, encoding="utf-8") as stream:
    exec(compile(stream.read(), __file__, "exec"))
"""


def write_plugins_folder(folder: Path, others: Sequence[Path] = ()) -> None:
    """Write a file for each module that CellProfiler is to know.

    Parameters
    ----------
    folder : Path
        Is made.
    others : sequence of Path
        Plugins directories of the user's; of files with one name the first counts, and ours before all.

    Raises
    ------
    ComparisonError
        If one of them is no folder.
    """
    folder.mkdir(parents=True)
    places = {RECORDER.name: (RECORDER, PLUGINS_FOLDER)}
    for each in (PLUGINS_FOLDER, *others):
        if not each.is_dir():
            raise ComparisonError(f"--plugins-directory {each}: there is no such folder.")
        for path in sorted(each.glob("[!_]*.py")):
            places.setdefault(path.name, (path, each))
    for name, (path, root) in places.items():
        text = STAND_IN.format(folder=str(root.resolve()), path=str(path.resolve()))
        (folder / name).write_text(text, encoding="utf-8")
