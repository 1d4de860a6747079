"""Draw the numbers of a trial: at random in the whole range, later near those of the best trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optuna.trial import BaseTrial

from cpunet.training.search.space import SearchedNumber, Value

# The first part of the trials is coarse. Later ones are drawn between the values of the best quarter, and a little
# beyond: by this part of the whole range at each side.
COARSE_SHARE, BEST_SHARE, BEYOND = 0.5, 0.25, 0.1
LEAST_BEST = 2


def is_coarse(number_of_trial: int, trials: int) -> bool:
    """Return whether a trial, from 0 on, of so many is drawn from the whole ranges."""
    return number_of_trial < math.ceil(trials * COARSE_SHARE)


def narrowed(number: SearchedNumber, best: Sequence[float]) -> tuple[float, float]:
    """Return the range between the values of the best trials and a little beyond, within the number's own range.

    >>> low, high = narrowed(SearchedNumber("learning_rate", 1e-4, 1e0, is_log=True), [1e-3, 1e-2])
    >>> f"{low:.1e} {high:.1e}"
    '4.0e-04 2.5e-02'
    """
    if not best:
        return number.low, number.high
    there = math.log if number.is_log else float
    back = math.exp if number.is_log else float
    low, high = there(number.low), there(number.high)
    values = [there(value) for value in best]
    beyond = BEYOND * (high - low)
    # exp(log(x)) may differ from x in the last digit, which the range's own ends must not.
    least, most = min(values) - beyond, max(values) + beyond
    return (number.low if least <= low else back(least)), (number.high if most >= high else back(most))


def draw(trial: BaseTrial, space: Sequence[SearchedNumber], best: Sequence[dict[str, Any]]) -> dict[str, Value]:
    """Draw a value for each number.

    Parameters
    ----------
    trial : BaseTrial
        A trial of optuna, whose sampler decides.
    space : sequence of SearchedNumber
    best : sequence of dict
        The values of the best trials so far, between which is drawn; empty to draw from the whole ranges.
    """
    values: dict[str, Value] = {}
    for number in space:
        if number.choices:
            values[number.name] = trial.suggest_categorical(number.name, list(number.choices))
            continue
        low, high = narrowed(number, [float(each[number.name]) for each in best])
        if number.is_whole:
            values[number.name] = trial.suggest_int(number.name, round(low), round(high), log=number.is_log)
        else:
            values[number.name] = trial.suggest_float(number.name, low, high, log=number.is_log)
    return values
