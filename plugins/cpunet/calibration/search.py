"""Find settings with a better mean F1: one after the other, each over its candidates with the others held."""

from __future__ import annotations

from typing import Callable

import numpy as np

from cpunet.calibration.settings import Candidates, Settings, alternatives, value_of

ROUNDS = 3
# A setting is changed only if the mean F1 gains more than this divided by the root of the number of objects, since
# small gains are those of chance: 0.01 with 100 objects, 0.003 with 1,000.
LEAST_GAIN = 0.1


def search(mean_f1: Callable[[Settings], float], own: Settings, tried: Candidates, objects: int) -> Settings:
    """Return the best settings that are found from the model's own on.

    Parameters
    ----------
    mean_f1 : callable
        Of settings, 0..1.
    own : Settings
        The model's own.
    tried : dict of str to tuple
        See `cpunet.calibration.settings.candidates`.
    objects : int
        Labeled objects that `mean_f1` counts.

    Notes
    -----
    The settings are tried in their order, up to `ROUNDS` times or until none changes any more. A setting that was
    changed before is also tried with the model's own value.
    """
    least = LEAST_GAIN / np.sqrt(max(1, objects))
    best, score = own, mean_f1(own)
    for _ in range(ROUNDS):
        before = best
        for name, values in tried.items():
            others = alternatives(best, name, tuple(dict.fromkeys((value_of(own, name), *values))))
            scores = [mean_f1(other) for other in others]
            if scores and max(scores) > score + least:
                best, score = others[int(np.argmax(scores))], max(scores)
        if best == before:
            break
    return best
