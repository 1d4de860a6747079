"""Choose tiles for a volume: as large as the memory allows, since neighboring tiles overlap by twice the halo."""

from __future__ import annotations

import itertools
import math
from typing import List, Optional, Sequence, Tuple

from cpunet.model.axes import halos, least_sizes, round_up, units
from cpunet.model.protocol import Model

# What the intermediate values of a tile may take, as computed from the network; onnxruntime takes up to half more.
MOST_BYTES = 2**30
# The tile for which they are computed.
COMPUTED_PLANES, COMPUTED_SIDE_PX = 32, 256
# Voxels of a tile of a model that cannot tell how much memory it takes.
USUAL_VOXELS = 2**21
# Shorter tiles are mostly halo.
LEAST_PLANES, LEAST_SIDE_PX = 8, 64


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
    card = model.card
    axes = zip(size, units(card.input), halos(card), least_sizes(card.input))
    most = _most_voxels(model)
    given = (planes, *(sides or (None, None)))
    shortest = (LEAST_PLANES, LEAST_SIDE_PX, LEAST_SIDE_PX)
    ways = [_ways(*axis, *each) for axis, each in zip(axes, zip(shortest, given))]
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
    shape = least_sizes(model.card.input, COMPUTED_PLANES, COMPUTED_SIDE_PX)
    needed = int(needed_bytes((1, len(model.card.input.channels), *shape)))
    return math.prod(shape) * MOST_BYTES / needed


def _ways(size: int, unit: int, halo: int, least: int, shortest: int, given: Optional[int]) -> List[Tuple[int, int]]:
    """Return the lengths and numbers of equal tiles that cover an axis, as long as the halo leaves a third of each."""
    size = round_up(max(size, least), unit)
    if given is not None:
        length = min(size, round_up(max(given, least), unit))
        return [(length, 1 if length == size else -(-size // max(1, length - 2 * halo)))]
    ways = [(size, 1)]
    while True:
        count = len(ways) + 1
        length = round_up(-(-(size + 2 * halo * (count - 1)) // count), unit)
        if length < max(shortest, 3 * halo, least) or length >= ways[-1][0]:
            return ways
        ways.append((length, count))
