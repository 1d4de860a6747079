"""How much is measured: quick for a session of ten minutes, usual for a quarter of an hour, full for all of it."""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from benchmarks.speed.fields import Shape, Wanted

SMALL, MEDIUM, LARGE, HUGE = (520, 696), (1080, 1080), (2048, 2048), (4096, 4096)
MOSAIC: Shape = (20000, 20000)


class Effort(NamedTuple):
    """What is measured, and how often.

    Attributes
    ----------
    sizes : dict of str to tuple of (int, int)
        The sizes of the fields by part; parts that are not here are left out.
    rounds : int
        Repeats on small fields; larger ones get fewer, see `rounds_at`.
    fields : int
        Different small fields; larger ones are fewer, see `fields_at`.
    seconds : float
        How long processes work side by side, for each method, situation and round; longer on larger fields.
    every_number_of_cores : bool
        Measure with one core and with all of them, at `SMALL` and `LARGE`; otherwise with all alone.
    """

    sizes: Dict[str, Tuple[Shape, ...]]
    rounds: int
    fields: int
    seconds: float
    every_number_of_cores: bool


NO_SIZE: Tuple[Shape, ...] = ()
EFFORTS = {
    "quick": Effort(
        {
            "module": (SMALL, LARGE),
            "processes": (SMALL,),
            "start": NO_SIZE,
            "limit": NO_SIZE,
            "networks": (SMALL,),
            "gpu": (LARGE,),
            "peers": (SMALL,),
        },
        rounds=3,
        fields=5,
        seconds=4.0,
        every_number_of_cores=False,
    ),
    "usual": Effort(
        {
            "module": (SMALL, MEDIUM, LARGE, HUGE),
            "processes": (SMALL, LARGE),
            "objects": NO_SIZE,
            "start": NO_SIZE,
            "memory": (SMALL, LARGE, HUGE),
            "limit": NO_SIZE,
            "networks": (SMALL, LARGE),
            "gpu": (MEDIUM, LARGE),
            "peers": (SMALL, MEDIUM),
        },
        rounds=5,
        fields=10,
        seconds=5.0,
        every_number_of_cores=True,
    ),
    "full": Effort(
        {
            "module": (SMALL, MEDIUM, LARGE, HUGE),
            "processes": (SMALL, MEDIUM, LARGE),
            "objects": NO_SIZE,
            "start": NO_SIZE,
            "memory": (SMALL, MEDIUM, LARGE, HUGE),
            "mosaic": (MOSAIC,),
            "limit": NO_SIZE,
            "networks": (SMALL, MEDIUM, LARGE),
            "gpu": (SMALL, MEDIUM, LARGE, HUGE),
            "peers": (SMALL, MEDIUM, LARGE),
        },
        rounds=9,
        fields=10,
        seconds=10.0,
        every_number_of_cores=True,
    ),
}


def times_larger(shape: Shape) -> float:
    """Return how many times as many pixels a size has as `SMALL`, 1 at least."""
    return max(1.0, shape[0] * shape[1] / (SMALL[0] * SMALL[1]))


def rounds_at(rounds: int, shape: Shape) -> int:
    """Return fewer rounds for larger fields, 2 at least: a longer time varies less.

    >>> [rounds_at(5, shape) for shape in (SMALL, MEDIUM, LARGE, HUGE)]
    [5, 4, 3, 2]
    """
    return max(min(2, rounds), round(rounds / times_larger(shape) ** 0.22))


def fields_at(fields: int, shape: Shape) -> int:
    """Return fewer different fields of a larger size, 1 at least: each holds more.

    >>> [fields_at(10, shape) for shape in (SMALL, MEDIUM, LARGE, HUGE)]
    [10, 4, 2, 1]
    """
    return max(1, round(fields / times_larger(shape) ** 0.75))


def seconds_at(seconds: float, shape: Shape) -> float:
    """Return a longer time for larger fields, so that several are done.

    >>> [round(seconds_at(5, shape)) for shape in (SMALL, LARGE)]
    [5, 10]
    """
    return seconds * times_larger(shape) ** 0.28


def cores_at(effort: Effort, shape: Shape, asked: Optional[List[int]], most: int) -> List[int]:
    """Return with how many cores a size is measured."""
    if asked is not None:
        return asked
    return sorted({1, most}) if effort.every_number_of_cores and shape in (SMALL, LARGE) else [most]


def wanted_fields(shape: Shape, fields: int, data: Optional[Path]) -> Wanted:
    """Return the wish for the fields of a size."""
    return Wanted(shape, fields_at(fields, shape), data=data)
