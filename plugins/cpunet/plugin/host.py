"""What the module shares with CellProfiler around it: cores, GPU memory, the models folder and earlier image sets."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import Callable, Optional

from cellprofiler_core.preferences import MAX_WORKERS, config_read, config_write, get_headless, get_max_workers

from cpunet.cores import cores_allowed
from cpunet.model.find import MODELS_VARIABLE
from cpunet.model.memory import gpu_memory_for_worker, processes_on_gpu, total_gpu_memory_bytes

PREFERENCE = "IdentifyObjectsUNetModelsFolder"


def is_worker() -> bool:
    """Return True in a worker of an analysis that the window started."""
    return any(argument.startswith("--work-announce") for argument in sys.argv)


def number_of_workers() -> int:
    """Return how many workers the analysis has."""
    # In a worker, get_max_workers() does not know the user's choice; the preferences that the window sent do.
    return max(1, int(config_read(MAX_WORKERS) or 0) or get_max_workers())


def threads_for_this_process() -> int:
    """Return how many threads the network may use: a worker's share of the cores, otherwise 0, which is all."""
    return max(1, cores_allowed() // number_of_workers()) if is_worker() else 0


def gpu_memory_for_this_process(chosen_bytes: Optional[int]) -> Optional[int]:
    """Return how much memory of the GPU the network may use.

    Parameters
    ----------
    chosen_bytes : int or None
        The user's choice.

    Returns
    -------
    int or None
        Bytes: the user's choice, or else a share of the GPU: that of a worker of the window, or of one of several
        headless processes (`cpunet.model.memory.processes_on_gpu`). None is all that is free.
    """
    processes = number_of_workers() if is_worker() else processes_on_gpu()
    if chosen_bytes is not None or processes is None:
        return chosen_bytes
    total = total_gpu_memory_bytes()
    return None if total is None else gpu_memory_for_worker(total, processes)


def preferred_models_folder() -> Optional[str]:
    """Return the folder that the user chose in the window, or None."""
    return config_read(PREFERENCE) or None


def prefer_models_folder(folder: str) -> None:
    """Remember a folder for this and later sessions, and use it at once."""
    config_write(PREFERENCE, folder)
    use_preferred_folder()


def use_preferred_folder() -> None:
    """Look for models in the preferred folder, unless the environment names another.

    Notes
    -----
    CellProfiler sends its workers only its own preferences, but they inherit the environment. So the folder is written
    into the environment, and written again only where it is what this function wrote before.
    """
    folder = preferred_models_folder()
    if folder and os.environ.get(MODELS_VARIABLE) in (None, "", _last_used[0]):
        os.environ[MODELS_VARIABLE] = _last_used[0] = folder


_last_used = [""]


# The part of the time in which Python may search all its objects: once takes 50 ms or more, as long as a small image.
SHARE_OF_TIME = 0.02
_not_before = float("-inf")


def free_earlier_image_sets(clock: Callable[[], float] = time.monotonic) -> None:
    """Have Python free the workspaces of earlier image sets, with their images and objects.

    In CellProfiler 4, a workspace and its list of files refer to each other. Python frees such a cycle only when it
    searches for garbage, and it searches all objects too rarely.

    1. In 2 % of the time, by `clock` in seconds, all objects are searched.
    2. Without a window, the objects that remain are then set aside (`gc.freeze`) until the next such search.
    3. For each image set between, only newer objects are searched. With a window nothing is set aside, since a closed
       figure would not be freed, and nothing is searched between.

    Notes
    -----
    Without a window, `gc.freeze` keeps at most 2 image sets in memory, for 0.2 ms of CPU time for each image set. Step
    1 alone keeps 9; a search of young objects instead of step 3 (``gc.collect(1)``) keeps 25. A search of all objects
    for each image set keeps 1, and takes 66 ms where the module takes 140 ms. Measured with
    `benchmarks.run_module.run_analysis` on 60 image sets of 260 x 348 pixels, by weak references to their object sets;
    `benchmarks/memory_flat.py` shows the memory itself.
    """
    global _not_before
    begun = clock()
    if begun >= _not_before:
        gc.unfreeze()
        gc.collect()
        ended = clock()
        _not_before = ended + (ended - begun) * (1 / SHARE_OF_TIME - 1)
        if get_headless():
            gc.freeze()
    elif get_headless():
        gc.collect()
