"""Run a measurement in a process of its own that may use only some of the cores."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, Optional

from cpunet.cores import cores_allowed


def can_bind() -> bool:
    """Return True if this system lets a process choose its cores; Windows and macOS do not."""
    return hasattr(os, "sched_setaffinity")


def cores_to_measure(wanted: Optional[List[int]]) -> List[int]:
    """Return the numbers of cores that can be measured here: of those that are wanted, or else one and all."""
    most = cores_allowed()
    if not can_bind():
        return [most]
    return sorted({cores for cores in (wanted or [1, most]) if 1 <= cores <= most})


def in_a_process(cores: Optional[int], function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function of a module in a new process, and return its result.

    The process begins with `cores` cores, so that libraries count no others; None leaves it all.
    """
    with _bound_to(cores), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


@contextmanager
def _bound_to(cores: Optional[int]) -> Iterator[None]:
    # A child inherits the cores of its parent, before it loads anything.
    if cores is None or not can_bind():
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:cores]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
