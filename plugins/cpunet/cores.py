"""How many processor cores this process may use, as the system, a cluster or a container limits them."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from cpunet.control_groups import CGROUPS, PROC, folders_of_groups, lines_of
from cpunet.environment import number_in_environment

THREADS_VARIABLE = "CPUNET_THREADS"


def cores_allowed() -> int:
    """Return how many cores this process may use, 1 or more.

    Notes
    -----
    It is the smallest of the cores of the computer, those that the process is bound to (taskset, ``srun --cpu-bind``,
    the cpuset of a control group), the processor time that its control groups may take (``docker run --cpus``, a limit
    of Kubernetes), rounded up, and the number in the environment variable CPUNET_THREADS.

    Raises
    ------
    OptionError
        If CPUNET_THREADS is no number, or below 1.
    """
    cores = [os.cpu_count() or 1, *_cores_bound_to(), *_cores_asked_for()]
    share = cores_by_quota()
    return max(1, min(cores + ([] if share is None else [math.ceil(share)])))


def threads_within_limits(threads: int = 0) -> int:
    """Return for how many threads to ask a library that takes 0 for as many as it likes.

    Parameters
    ----------
    threads : int
        The number that is wanted; 0 for all cores.

    Returns
    -------
    int
        0 only if all cores are wanted and may be used. onnxruntime then binds its threads to one core each, which
        fails, or leaves the cores that were given to a job, where only some of the cores may be used.
    """
    allowed = cores_allowed()
    if threads:
        return min(threads, allowed)
    return 0 if allowed == (os.cpu_count() or 1) else allowed


def _cores_asked_for() -> List[int]:
    asked = number_in_environment(THREADS_VARIABLE)
    return [] if asked is None else [asked]


def _cores_bound_to() -> List[int]:
    # Windows and macOS do not tell.
    return [len(os.sched_getaffinity(0))] if hasattr(os, "sched_getaffinity") else []


def cores_by_quota(proc: Path = PROC, cgroups: Path = CGROUPS) -> Optional[float]:
    """Return how many cores' time the control groups of this process may take; None where nothing limits it.

    Parameters
    ----------
    proc, cgroups : Path
        Where Linux shows processes and control groups.

    Notes
    -----
    Version 2 has the limit in ``cpu.max``, version 1 in ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us`` (Linux:
    Documentation/scheduler/sched-bwc.rst).
    """
    shares = [quota / period for quota, period in _quotas(proc, cgroups) if quota > 0 and period > 0]
    return min(shares, default=None)


def _quotas(proc: Path, cgroups: Path) -> Iterator[Tuple[float, float]]:
    for version, folder in folders_of_groups("cpu", proc, cgroups):
        if version == 2:
            words = " ".join(lines_of(folder / "cpu.max")).split()
        else:
            words = [" ".join(lines_of(folder / f"cpu.cfs_{name}_us")).strip() for name in ("quota", "period")]
        if len(words) == 2 and all(word.lstrip("-").isdigit() for word in words):
            yield float(words[0]), float(words[1])
