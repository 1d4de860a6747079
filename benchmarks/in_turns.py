"""Compare how long actions take."""

import statistics
import time
from typing import Callable, Dict, List


def median_seconds(actions: Dict[str, Callable[[], object]], rounds: int) -> Dict[str, float]:
    """Time all actions in turns, so that other work on the machine slows all of them alike.

    Each action runs once before, since the first run is slower.
    """
    taken: Dict[str, List[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()
    for _ in range(rounds):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}
