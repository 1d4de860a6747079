"""A plugins directory for one run of CellProfiler, which takes only one: the user's modules, ours, and the recorder."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence, Tuple

from cpunet.errors import ComparisonError
from cpunet.model.packages import PLUGINS_FOLDER

MODULE = "identifyobjectsunet.py"
RECORDER = Path("cpunet", "plugin", "recordcomparison.py")
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
        Plugins directories of the user's. Of files with one name, that of IdentifyObjectsUNet's folder counts, and then
        the first.

    Raises
    ------
    ComparisonError
        If one of them is no folder, or none has IdentifyObjectsUNet.
    """
    ours, others = _with_unet(others)
    folder.mkdir(parents=True)
    places = {RECORDER.name: (ours / RECORDER, ours)}
    for each in (ours, *others):
        for path in sorted(each.glob("[!_]*.py")):
            places.setdefault(path.name, (path, each))
    for name, (path, root) in places.items():
        text = STAND_IN.format(folder=str(root.resolve()), path=str(path.resolve()))
        (folder / name).write_text(text, encoding="utf-8")


def _with_unet(others: Sequence[Path]) -> Tuple[Path, Sequence[Path]]:
    """Return the folder that has IdentifyObjectsUNet, and the user's.

    The command's own is none where it was installed by pip: there, all kinds of packages are beside it, of a Python
    that may be another than CellProfiler's.
    """
    missing = next((each for each in others if not each.is_dir()), None)
    if missing is not None:
        raise ComparisonError(f"--plugins-directory {missing}: there is no such folder.")
    for each in (PLUGINS_FOLDER, *others):
        if (each / MODULE).is_file() and (each / RECORDER).is_file():
            return each, others
    raise ComparisonError(
        f"no plugins directory with IdentifyObjectsUNet of this version was found: {PLUGINS_FOLDER} has no {MODULE}. "
        "Give it with --plugins-directory: the folder plugins of the repository, or cpunet-plugins of the bundle."
    )
