"""Split a batch into pieces of consecutive image sets."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from cpunet.batch.folder import Piece
from cpunet.errors import BatchError


def split(groups: Sequence[int], piece_size: int, keep_groups: bool) -> Tuple[Piece, ...]:
    """Split image sets, which are numbered from 1 on, into pieces.

    Parameters
    ----------
    groups : sequence of int
        The number of the group that each image set is in; the image sets of a group follow each other.
    piece_size : int
        How many image sets a piece has; 1 or more.
    keep_groups : bool
        A group is never split; a piece then has as many whole groups as it takes to reach `piece_size`.

    Returns
    -------
    tuple of Piece
        They cover all image sets, in their order.

    Raises
    ------
    BatchError
        If there is no image set, or the image sets of a group do not follow each other.

    Examples
    --------
    >>> [(piece.first, piece.last) for piece in split([1, 1, 1, 2, 2], 2, False)]
    [(1, 2), (3, 4), (5, 5)]
    >>> [(piece.first, piece.last) for piece in split([1, 1, 1, 2, 2], 2, True)]
    [(1, 3), (4, 5)]
    """
    if not groups:
        raise BatchError("The pipeline finds no image set in these images. Check the pipeline's input modules.")
    group_ranges(groups)
    starts: List[int] = [0]
    for place in range(1, len(groups)):
        long_enough = place - starts[-1] >= piece_size
        if long_enough and not (keep_groups and groups[place] == groups[place - 1]):
            starts.append(place)
    width = max(4, len(str(len(starts))))
    ends = [*starts[1:], len(groups)]
    return tuple(
        Piece(f"{index:0{width}d}", start + 1, end) for index, (start, end) in enumerate(zip(starts, ends), start=1)
    )


def group_ranges(groups: Sequence[int]) -> Tuple[Tuple[int, int], ...]:
    """Return the first and the last image set of each group, in the order of the groups.

    Raises BatchError if the image sets of a group do not follow each other.

    >>> group_ranges([1, 1, 1, 2, 2])
    ((1, 3), (4, 5))
    """
    ranges: List[Tuple[int, int]] = []
    seen = set()
    for number, group in enumerate(groups, start=1):
        if number > 1 and group == groups[number - 2]:
            ranges[-1] = (ranges[-1][0], number)
            continue
        if group in seen:
            raise BatchError(
                f"The image sets of group {group} do not follow each other, so a range of image sets cannot hold it. "
                "Group the images with the module Groups, which sorts them."
            )
        seen.add(group)
        ranges.append((number, number))
    return tuple(ranges)
