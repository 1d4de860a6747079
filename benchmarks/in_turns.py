"""Compare how long actions take."""

import statistics
import time
from typing import Callable, Dict, List


def seconds_in_turns(actions: Dict[str, Callable[[], object]], rounds: int) -> Dict[str, List[float]]:
    """Time all actions in turns, so that other work on the machine slows all of them alike.

    Each action runs once before, since the first run is slower. Returns the seconds of each round.
    """
    taken: Dict[str, List[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()
    for _ in range(rounds):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            taken[name].append(time.perf_counter() - began)
    return taken


def median_seconds(actions: Dict[str, Callable[[], object]], rounds: int) -> Dict[str, float]:
    """Time all actions in turns, see `seconds_in_turns`, and return the median of each."""
    return {name: statistics.median(seconds) for name, seconds in seconds_in_turns(actions, rounds).items()}
