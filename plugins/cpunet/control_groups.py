"""Which control groups of Linux limit this process: a cluster's job and a container are such groups."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Sequence, Tuple

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def folders_of_groups(controller: str, proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[Tuple[int, Path]]:
    """Yield the folder of each control group that this process is in, from its own up to the topmost.

    Parameters
    ----------
    controller : str
        What the groups limit, such as ``cpu`` or ``memory``.
    proc, cgroups : Path
        Where Linux shows processes and control groups.

    Yields
    ------
    version : int
        Of control groups, 1 or 2: their files have other names.
    folder : Path
        It need not exist.

    Notes
    -----
    A group's limit holds for all groups below it, so the smallest on the way up counts (Linux: Documentation/
    admin-guide/cgroup-v2.rst, cgroup-v1/). In a container, the group's own folder may be the top one there.
    """
    for line in lines_of(proc / "self" / "cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        version = 2 if number == "0" and not controllers else 1
        if version == 1 and controller not in controllers.split(","):
            continue
        steps = [step for step in group.split("/") if step not in ("", ".", "..")]
        for top in [cgroups] if version == 2 else dict.fromkeys([cgroups / controllers, cgroups / controller]):
            for depth in range(len(steps), -1, -1):
                yield version, top.joinpath(*steps[:depth])


def lines_of(path: Path) -> Sequence[str]:
    """Return the lines of a system file; none where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
