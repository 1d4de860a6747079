"""How much memory is at hand, so that an image that needs more is refused before its pixels are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import List, Optional

from cpunet.control_groups import CGROUPS, PROC, folders_of_groups, lines_of
from cpunet.errors import ImageError

# Beside the file's own pixels, the least that is done with an image holds this for each pixel: the image as float32,
# and three probabilities of float32.
WORKING_BYTES_PER_PIXEL = 16
# The memory that this many bytes of pixels need is not compared: asking the system takes longer than reading them.
SURELY_FITS_BYTES = 2**24
# The limit, what is used, and the cache of files, which is given back when it is needed: by version of control groups.
GROUP_FILES = {
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def refuse_more_than_memory(height: int, width: int, bytes_per_pixel: int, depth: int = 1) -> None:
    """Raise ImageError if an image of a declared size needs more memory than is at hand.

    Parameters
    ----------
    height, width : int
        As the file's header declares them; no pixel needs to have been read.
    bytes_per_pixel : int
        Of all channels together.
    depth : int
        The number of planes.
    """
    needed = depth * height * width * (bytes_per_pixel + WORKING_BYTES_PER_PIXEL)
    if needed <= SURELY_FITS_BYTES:
        return
    free = bytes_at_hand()
    if free is not None and needed > free:
        planes = f"{depth} x " if depth > 1 else ""
        raise ImageError(
            f"this declares {planes}{height} x {width} pixels, which need at least {_gigabytes(needed)} of memory, and "
            f"{_gigabytes(free)} are free. Crop the image or make it smaller, close other programs, or use a computer "
            "with more memory. If the image should be small, the file is damaged."
        )


def bytes_at_hand() -> Optional[int]:
    """Return the bytes that this process can still take, within the limits of its container and its shell.

    Returns
    -------
    int or None
        None where the system tells nothing.
    """
    limits = [*_free_in_system(), *left_in_control_groups(), *_left_to_process()]
    return max(0, min(limits)) if limits else None


def _free_in_system() -> List[int]:
    try:
        import psutil  # CellProfiler has it; without it, Linux says the same in a file

        return [int(psutil.virtual_memory().available)]
    except ImportError:
        lines = lines_of(PROC / "meminfo")
    return [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]


def left_in_control_groups(proc: Path = PROC, cgroups: Path = CGROUPS) -> List[int]:
    """Return the bytes that each control group of this process leaves; nothing for groups without a limit."""
    left = []
    for version, folder in folders_of_groups("memory", proc, cgroups):
        limit_name, used_name, cache = GROUP_FILES[version]
        limit, used = lines_of(folder / limit_name), lines_of(folder / used_name)
        if limit and used and limit[0].isdigit() and used[0].isdigit():
            cached = [int(line.split()[1]) for line in lines_of(folder / "memory.stat") if line.startswith(f"{cache} ")]
            left.append(int(limit[0]) - int(used[0]) + sum(cached))
    return left


def _left_to_process() -> List[int]:
    """Return what ``ulimit -v`` leaves."""
    try:
        import resource  # not on Windows
    except ImportError:
        return []
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return []
    pages = lines_of(PROC / "self" / "statm")
    used = int(pages[0].split()[0]) * os.sysconf("SC_PAGE_SIZE") if pages else 0
    return [limit - used]


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:.1f} GB"
