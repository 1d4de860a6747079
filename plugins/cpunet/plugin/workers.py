"""How many workers of an analysis share this computer, and what is left to each."""

import os
import sys

from cellprofiler_core.preferences import MAX_WORKERS, config_read, get_max_workers


def is_worker() -> bool:
    """Say whether this is one of several workers of an analysis of the window."""
    return any(argument.startswith("--work-announce") for argument in sys.argv)


def number_of_workers() -> int:
    """Return how many workers the analysis has."""
    # get_max_workers() forgets, in a worker, what the user chose; what the window sent it does not.
    return max(1, int(config_read(MAX_WORKERS) or 0) or get_max_workers())


def threads_for_this_process() -> int:
    """Return how many threads the network may use; 0 is all cores.

    Returns
    -------
    int
        In an analysis of the window, where several workers run side by side, each one's share of the
        cores; otherwise 0.
    """
    return max(1, (os.cpu_count() or 1) // number_of_workers()) if is_worker() else 0
