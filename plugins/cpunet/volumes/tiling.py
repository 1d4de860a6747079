"""Run a network over a volume of any size, tile by tile, with the same result as in one piece."""

from __future__ import annotations

import itertools
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ModelError, OptionError
from cpunet.model.axes import round_up
from cpunet.steps.tiling import Predict, mirrored_positions, shortest_tile, tile_starts

Places = npt.NDArray[np.intp]
Axes = Tuple[int, int, int]
Part = Tuple[int, int, int]
UNITS = ("planes", "pixels", "pixels")


class VolumeTiles(NamedTuple):
    """Which tiles of one size cover a volume.

    Attributes
    ----------
    places : tuple of three ndarray of int
        The plane, the row and the column of the volume that each position of the volume with its mirrored borders
        shows.
    inner : tuple of three int
        The position of the volume's first plane, row and column.
    tile_shape : tuple of three int
        Planes, height and width of every tile.
    tiles : list of three (start, keep_start, keep_stop)
        As `cpunet.steps.tiling.tile_starts` gives them, for each axis of each tile.
    """

    places: Tuple[Places, ...]
    inner: Axes
    tile_shape: Axes
    tiles: List[Tuple[Part, ...]]


def plan_volume_tiles(
    shape: Sequence[int],
    tile_shape: Sequence[int],
    halo: Sequence[int],
    divisible_by: Sequence[int] = (1, 1, 1),
    min_size: Sequence[int] = (1, 1, 1),
) -> VolumeTiles:
    """Cover a volume of this shape with tiles; see `predict_tiled_volume`, which has the same parameters."""
    places = tuple(mirrored_positions(*each) for each in zip(shape, divisible_by, min_size))
    lengths, parts = [], []
    for axis, most, beside, unit, least in zip(range(3), tile_shape, halo, divisible_by, min_size):
        size = len(places[axis])
        _check_length(max(most, least), size, beside, unit, UNITS[axis])
        lengths.append(shortest_tile(size, most, beside, unit, least))
        parts.append(tile_starts(size, lengths[-1], beside, unit))
    inner = tuple((len(found) - size) // 2 for found, size in zip(places, shape))
    tiles = list(itertools.product(*parts))
    return VolumeTiles(places, (inner[0], inner[1], inner[2]), (lengths[0], lengths[1], lengths[2]), tiles)


def _check_length(tile: int, size: int, halo: int, unit: int, what: str) -> None:
    """Raise OptionError if the halo leaves nothing of a tile that does not reach along the whole axis."""
    tile, halo = round_up(tile, unit), round_up(halo, unit)
    if tile < size and tile <= 2 * halo:
        raise OptionError(
            f"A tile of {tile} {what} is too small for the model's halo of {halo} {what} a side; use tiles of at least "
            f"{2 * halo + unit} {what}."
        )


def predict_tiled_volume(
    volume: npt.NDArray[np.float32],
    predict: Predict,
    out_channels: int,
    tile_shape: Sequence[int],
    halo: Sequence[int],
    divisible_by: Sequence[int] = (1, 1, 1),
    min_size: Sequence[int] = (1, 1, 1),
    batch_size: int = 1,
    on_progress: Optional[Callable[[int, int], None]] = None,
) -> npt.NDArray[np.float32]:
    """Apply a function that sees only a neighborhood of each voxel to a whole volume, tile by tile.

    Parameters
    ----------
    volume : ndarray of shape (C, Z, Y, X), float32
        Normalized as a whole before, so that all tiles share one contrast.
    predict : callable
        Turns (N, C, z, y, x) into (N, `out_channels`, z, y, x).
    out_channels : int
    tile_shape : three int
        Most planes, height and width of a tile with its halo, before they are rounded up for the network. Tiles are
        smaller where that needs no more of them.
    halo : three int
        Planes, rows and columns a side that a tile needs for its inner part to be right.
    divisible_by, min_size : three int
        What the network takes, for planes, height and width.
    batch_size : int
        Tiles in one call.
    on_progress : callable, optional
        Called with the tiles done and their number, before the first call and after each. An error that it raises ends
        the work.

    Returns
    -------
    ndarray of shape (out_channels, Z, Y, X), float32

    Raises
    ------
    OptionError
        If the tiles are too small for the halo.
    ModelError
        If `predict` returns another shape than it should.

    Notes
    -----
    Borders are mirrored as far as the network's sizes ask for. Each voxel is written by exactly one tile. If `halo`
    covers the network's receptive field, the result is that of one pass over the volume.
    """
    places, inner, shape, tiles = plan_volume_tiles(volume.shape[1:], tile_shape, halo, divisible_by, min_size)
    result = np.empty((out_channels, *map(len, places)), np.float32)
    for first in range(0, len(tiles), batch_size):
        if on_progress is not None:
            on_progress(first, len(tiles))
        batch = tiles[first : first + batch_size]
        seen = [
            [axis[start : start + length] for axis, (start, _, _), length in zip(places, tile, shape)] for tile in batch
        ]
        predicted = predict(np.stack([_cut(volume, each) for each in seen]))
        promised = (len(batch), out_channels, *shape)
        if predicted.shape != promised:
            raise ModelError(f"The network returned the shape {predicted.shape}; its model card promises {promised}.")
        for found, tile in zip(predicted, batch):
            kept = tuple(slice(begin, end) for _, begin, end in tile)
            own = tuple(slice(begin - start, end - start) for start, begin, end in tile)
            result[(slice(None), *kept)] = found[(slice(None), *own)]
    if on_progress is not None:
        on_progress(len(tiles), len(tiles))
    return result[(slice(None), *(slice(first, first + size) for first, size in zip(inner, volume.shape[1:])))]


def _cut(volume: npt.NDArray[np.float32], places: Sequence[Places]) -> npt.NDArray[np.float32]:
    """Cut a tile out of a volume whose borders are mirrored, without a mirrored copy of the whole volume."""
    for axis, axis_places in enumerate(places, start=1):
        first, last = int(axis_places[0]), int(axis_places[-1])
        if len(axis_places) == last - first + 1 and (np.diff(axis_places) == 1).all():
            volume = volume[(slice(None),) * axis + (slice(first, last + 1),)]
        else:
            volume = np.take(volume, axis_places, axis)
    return volume
