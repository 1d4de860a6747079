"""The folder beside a result in which an unfinished run keeps its work, so that the next run goes on from there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict

from cpunet.errors import OutputError

ABOUT, PROGRAM = "about.json", "cpunet, unfinished mosaic"


def folder_of(result: Path) -> Path:
    """Name the folder for the unfinished work on a result."""
    return result.with_name(f"{result.name}.unfinished")


def begin_or_resume(folder: Path, about: Dict[str, Any], needed_bytes: int) -> bool:
    """Make the folder, or take the one of an earlier run of the same image, model and options.

    Parameters
    ----------
    folder : Path
    about : dict
        All that the result depends on. What was left of a run of something else is removed.
    needed_bytes : int
        How large the folder may become.

    Returns
    -------
    bool
        True if an earlier run is resumed.

    Raises
    ------
    OutputError
        If the folder holds something else, or the disk is too small.
    """
    if os.path.lexists(folder):
        found = _about(folder)
        if found is None:
            raise OutputError(
                f"{folder} exists, and is no folder of an unfinished run. Move it away, or write elsewhere with -o."
            )
        if found == {"program": PROGRAM, **about}:
            return True
        shutil.rmtree(folder)
    free = shutil.disk_usage(folder.parent).free
    if free < needed_bytes:
        raise OutputError(
            f"{folder.parent}: to segment this image, {needed_bytes / 1e9:.1f} GB of the disk are needed for a while, "
            f"and {free / 1e9:.1f} GB are free. Free some space, or write to another disk with -o."
        )
    folder.mkdir()
    beside = folder / f"{ABOUT}.new"
    beside.write_text(json.dumps({"program": PROGRAM, **about}), encoding="utf-8")
    os.replace(beside, folder / ABOUT)
    return False


def _about(folder: Path) -> Any:
    """Return what the folder says of itself; None if it is not of this program."""
    if not folder.is_dir():
        return None
    if not any(folder.iterdir()) or [each.name for each in folder.iterdir()] == [f"{ABOUT}.new"]:
        return {}  # ended before it said anything
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("program") == PROGRAM else None
