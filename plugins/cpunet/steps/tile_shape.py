"""Choose tiles for an image: as few as the memory allows, since neighboring tiles overlap by twice the halo."""

from __future__ import annotations

import itertools
from typing import List, Sequence, Tuple

from cpunet.model.axes import round_up
from cpunet.model.protocol import Model
from cpunet.options import TILE_PX

# What the intermediate values of a tile may take, as computed from the network; onnxruntime takes up to half more.
MOST_BYTES = 640 * 2**20
# The side of the tile for which they are computed.
COMPUTED_SIDE_PX = 2048


def automatic_tile_shape(size: Sequence[int], model: Model) -> Tuple[int, int]:
    """Return the largest height and width of tiles for an image.

    Parameters
    ----------
    size : sequence of two int
        Height and width of the image as the network sees it, pixels.
    model : Model
        If it can tell how much memory it takes (`needed_bytes`), tiles may take 640 MiB; otherwise they have up to
        1024 x 1024 pixels.

    Returns
    -------
    tuple of int
        Of the ways to cut the image into equal tiles, the one in which the network computes the fewest pixels.

    Notes
    -----
    With a halo of 160, nine tiles of 896 x 896 pixels on an image of 2048 x 2048 are 1.72 times its pixels.
    """
    given, usual = model.card.input, (TILE_PX, TILE_PX)
    needed_bytes = getattr(model, "needed_bytes", None)
    if max(size) <= TILE_PX or needed_bytes is None or given.tile_shape is not None:
        return usual
    unit, halo = given.divisible_by, round_up(model.card.output.halo, given.divisible_by)
    side = round_up(max(COMPUTED_SIDE_PX, given.min_size), unit)
    most_pixels = side**2 * MOST_BYTES / needed_bytes((1, len(given.channels), side, side))
    ways = itertools.product(*(_ways(round_up(max(length, given.min_size), unit), halo, unit) for length in size))
    fitting = [(y * x * rows * columns, (y, x)) for (y, rows), (x, columns) in ways if y * x <= most_pixels]
    return min(fitting)[1] if fitting else usual


def _ways(size: int, halo: int, unit: int) -> List[Tuple[int, int]]:
    """Return the lengths and numbers of equal tiles that cover an axis, as long as the halo leaves a third of each."""
    ways = [(size, 1)]
    while True:
        count = len(ways) + 1
        length = round_up(-(-(size + 2 * halo * (count - 1)) // count), unit)
        if length < max(TILE_PX // 2, 3 * halo):
            return ways
        ways.append((length, count))
