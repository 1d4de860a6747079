"""How many processor cores other programs leave to this process."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import List, NamedTuple, Optional

from cpunet.control_groups import PROC, lines_of
from cpunet.cores import cores_allowed, threads_within_limits

# A core counts as free if it is for so much of the time.
LEAST_SHARE = 0.75


class CoreTimes(NamedTuple):
    """The time now, how long the cores of this process have been idle, all together, and how long it used them; s."""

    now: float
    idle: float
    own: float


def core_times(proc: Path = PROC) -> Optional[CoreTimes]:
    """Read the times of the cores that this process may use; None where the system does not tell them.

    `proc` is where Linux shows them. Other systems are asked by psutil, which CellProfiler brings along.
    """
    idle = _idle_of_linux(proc) if sys.platform.startswith("linux") else _idle_of_psutil()
    return CoreTimes(time.monotonic(), sum(idle), time.process_time()) if idle else None


def free_cores(before: CoreTimes, after: CoreTimes) -> float:
    """Return how many cores were idle, or used by this process, between two times."""
    return (after.idle - before.idle + after.own - before.own) / (after.now - before.now)


def threads_for(free: float) -> int:
    """Return for how many threads to ask onnxruntime where so many cores are free.

    Returns
    -------
    int
        What `cpunet.cores.threads_within_limits` gives for all cores if all are free. Otherwise one for each free core,
        at least 1, and no more than the processor really has: two threads of one core compute no faster than one.
    """
    allowed = cores_allowed()
    count = max(1, min(int(free + 1 - LEAST_SHARE), allowed))
    return threads_within_limits() if count == allowed else min(count, _cores_of_computer() or count)


def _idle_of_linux(proc: Path) -> List[float]:
    allowed = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    rows = [line.split() for line in lines_of(proc / "stat")]
    # user nice system idle iowait irq softirq steal; a core that waits for a disk is free to compute.
    ticks = [int(row[4]) + int(row[5]) for row in rows if row and row[0] in allowed]
    return [count / os.sysconf("SC_CLK_TCK") for count in ticks]


def _idle_of_psutil() -> List[float]:
    try:
        import psutil
    except ImportError:
        return []
    return [times.idle for times in psutil.cpu_times(percpu=True)]


def _cores_of_computer(proc: Path = PROC) -> int:
    """Count cores, not the threads that some processors run on each of them; 0 where Linux does not tell."""
    place, cores = "", set()
    for line in lines_of(proc / "cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "physical id":
            place = value
        elif name.strip() == "core id":
            cores.add((place, value))
    return len(cores)
