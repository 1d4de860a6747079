"""The columns that number groups and their image sets, which one run and its pieces number differently.

CellProfiler numbers the image sets of a piece as a group of its own where the pipeline has no groups, or has LoadData.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Callable, Dict, List, Sequence, Tuple

COLUMNS = ("Group_Number", "Group_Index", "Group_Length")
Values = Callable[[int], Dict[str, int]]


def group_values(groups: Sequence[Tuple[int, int]]) -> Values:
    """Return a function that gives the columns of an image set, by its number.

    >>> group_values([(1, 3), (4, 5)])(5)
    {'Group_Number': 2, 'Group_Index': 2, 'Group_Length': 2}
    """
    firsts = [first for first, _ in groups]

    def values(image_set: int) -> Dict[str, int]:
        place = bisect_right(firsts, image_set) - 1
        first, last = groups[place]
        return dict(zip(COLUMNS, (place + 1, image_set - first + 1, last - first + 1)))

    return values


def places_of(columns: Sequence[str], prefix: str = "") -> List[Tuple[int, str]]:
    """Return the place of each of these columns that a table has, and its name without the prefix."""
    return [(columns.index(prefix + name), name) for name in COLUMNS if prefix + name in columns]
