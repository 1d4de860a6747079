"""Choose tiles for a volume: as large as the memory allows, since neighboring tiles overlap by twice the halo."""

from __future__ import annotations

import itertools
import math
from typing import List, Optional, Sequence, Tuple

from cpunet.model.card import ModelCard
from cpunet.model.protocol import Model

# What the intermediate values of a tile may take, as computed from the network; onnxruntime takes up to half more.
MOST_BYTES = 2**30
# The tile for which they are computed.
COMPUTED_PLANES, COMPUTED_SIDE_PX = 32, 256
# Voxels of a tile of a model that cannot tell how much memory it takes.
USUAL_VOXELS = 2**21
# Shorter tiles are mostly halo.
LEAST_PLANES, LEAST_SIDE_PX = 8, 64


def halo_of(card: ModelCard) -> Tuple[int, int, int]:
    """Return the planes, rows and columns on each side of a tile that are predicted and then dropped."""
    return card.output.halo_planes, card.output.halo, card.output.halo


def divisible_by_of(card: ModelCard) -> Tuple[int, int, int]:
    """Return of what planes, height and width must be multiples."""
    return card.input.divisible_by_planes, card.input.divisible_by, card.input.divisible_by


def min_size_of(card: ModelCard) -> Tuple[int, int, int]:
    """Return the smallest planes, height and width that a network takes."""
    return card.input.min_planes, card.input.min_size, card.input.min_size


def automatic_volume_tile(
    size: Sequence[int],
    model: Model,
    planes: Optional[int] = None,
    sides: Optional[Sequence[int]] = None,
) -> Tuple[int, int, int]:
    """Return the planes, height and width of tiles for a volume.

    Parameters
    ----------
    size : three int
        Planes, height and width of the volume as the network sees it.
    model : Model
        If it can tell how much memory it takes (`needed_bytes`), tiles may take 1 GiB; otherwise they have up to two
        million voxels.
    planes : int, optional
        The planes of a tile, if they are not to be chosen.
    sides : two int, optional
        Its height and width, if they are not to be chosen.

    Returns
    -------
    tuple of three int
        Of the ways to cut the volume into equal tiles, the one in which the network computes the fewest voxels. If
        none is small enough, the one with the smallest tiles.
    """
    units, halos, least = divisible_by_of(model.card), halo_of(model.card), min_size_of(model.card)
    most = _most_voxels(model)
    given = (planes, *(sides or (None, None)))
    shortest = (LEAST_PLANES, LEAST_SIDE_PX, LEAST_SIDE_PX)
    ways = [_ways(*each) for each in zip(size, units, halos, least, shortest, given)]
    tiles = [
        (z * y * x, z * planes_ * y * rows * x * columns, (z, y, x))
        for (z, planes_), (y, rows), (x, columns) in itertools.product(*ways)
    ]
    fitting = [each for each in tiles if each[0] <= most]
    return min(fitting, key=lambda each: each[1])[2] if fitting else min(tiles)[2]


def _most_voxels(model: Model) -> float:
    needed_bytes = getattr(model, "needed_bytes", None)
    if needed_bytes is None:
        return USUAL_VOXELS
    shape = tuple(
        _up(max(length, least), unit)
        for length, least, unit in zip(
            (COMPUTED_PLANES, COMPUTED_SIDE_PX, COMPUTED_SIDE_PX), min_size_of(model.card), divisible_by_of(model.card)
        )
    )
    needed = int(needed_bytes((1, len(model.card.input.channels), *shape)))
    return math.prod(shape) * MOST_BYTES / needed


def _ways(size: int, unit: int, halo: int, least: int, shortest: int, given: Optional[int]) -> List[Tuple[int, int]]:
    """Return the lengths and numbers of equal tiles that cover an axis, as long as the halo leaves a third of each."""
    size, halo = _up(max(size, least), unit), _up(halo, unit)
    if given is not None:
        length = min(size, _up(max(given, least), unit))
        return [(length, 1 if length == size else -(-size // max(1, length - 2 * halo)))]
    ways = [(size, 1)]
    while True:
        count = len(ways) + 1
        length = _up(-(-(size + 2 * halo * (count - 1)) // count), unit)
        if length < max(shortest, 3 * halo, least) or length >= ways[-1][0]:
            return ways
        ways.append((length, count))


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
