"""Run a network over an image of any size, tile by tile, with the same result as in one piece."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ModelError, OptionError
from cpunet.model.axes import round_up

Predict = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def mirror_to_size(
    image: npt.NDArray[np.float32], divisible_by: int, min_size: int
) -> Tuple[npt.NDArray[np.float32], Tuple[slice, slice]]:
    """Mirror an image's borders until the network can take it.

    Parameters
    ----------
    image : ndarray of shape (C, Y, X), float32
        Any size, 1x1 included.
    divisible_by : int
        Height and width become multiples of it.
    min_size : int
        Smallest height and width, pixels.

    Returns
    -------
    padded : ndarray of shape (C, Y', X'), float32
    inner : tuple of two slices
        Where the image is in `padded`.
    """
    rows, columns = (mirrored_positions(size, divisible_by, min_size) for size in image.shape[1:])
    top, left = (_missing(size, divisible_by, min_size) // 2 for size in image.shape[1:])
    inner = slice(top, top + image.shape[1]), slice(left, left + image.shape[2])
    return image[:, rows[:, np.newaxis], columns], inner


def mirrored_positions(size: int, divisible_by: int, min_size: int) -> npt.NDArray[np.intp]:
    """Return, for each position along an axis that was mirrored until the network can take it, the one that it shows.

    Examples
    --------
    >>> mirrored_positions(size=5, divisible_by=4, min_size=1).tolist()
    [1, 0, 1, 2, 3, 4, 3, 2]
    """
    missing = _missing(size, divisible_by, min_size)
    before = missing // 2
    return np.pad(np.arange(size), (before, missing - before), mode="reflect")


def _missing(size: int, divisible_by: int, min_size: int) -> int:
    return round_up(max(size, min_size), divisible_by) - size


def check_tile(tile: int, halo: int, divisible_by: int, min_size: int = 1) -> None:
    """Raise OptionError if the halo (pixels a side) leaves nothing of a tile, both rounded up for the network."""
    halo = round_up(halo, divisible_by)
    if round_up(max(tile, min_size), divisible_by) <= 2 * halo:
        raise OptionError(
            f"A tile of {tile} pixels is too small for the model's halo of {halo} pixels a side; use tiles of at "
            f"least {2 * halo + divisible_by} pixels."
        )


def tile_starts(size: int, tile: int, halo: int, divisible_by: int) -> List[Tuple[int, int, int]]:
    """Place tiles along one axis.

    Parameters
    ----------
    size : int
        Length of the axis, pixels; a multiple of `divisible_by`.
    tile : int
        Length of a tile with its halo; a multiple of `divisible_by`.
    halo : int
        Pixels that are predicted, then dropped, on each side where the image continues.
    divisible_by : int
        Tiles start at multiples of it, so that the network pools the same pixels together as in the whole image.

    Returns
    -------
    list of (start, keep_start, keep_stop)
        Where a tile starts, and which pixels of the axis it writes. The kept parts cover each pixel once::

            tile 0   [kept kept kept|halo]
            tile 1            [halo|kept kept|halo]
            tile 2                     [halo|kept kept kept]

    Raises
    ------
    ValueError
        If the halo leaves nothing of a tile.

    Examples
    --------
    >>> tile_starts(size=20, tile=12, halo=2, divisible_by=1)
    [(0, 0, 10), (8, 10, 20)]
    """
    if tile >= size:
        return [(0, 0, size)]
    check_tile(tile, halo, divisible_by)
    halo = round_up(halo, divisible_by)
    starts = []
    keep_start = 0
    while keep_start < size:
        start = min(max(keep_start - halo, 0), size - tile)
        keep_stop = size if start + tile == size else start + tile - halo
        starts.append((start, keep_start, keep_stop))
        keep_start = keep_stop
    return starts


def shortest_tile(size: int, most: int, halo: int, divisible_by: int, min_size: int = 1) -> int:
    """Return the shortest tile that covers an axis of `size` pixels with as many tiles as the longest one would.

    With a halo of 80, three tiles of 1024 on an axis of 2048 overlap by far more than needed; tiles of 800 are enough.
    `most` is the length of the longest tile before it is rounded up for the network; OptionError if it is too short for
    the halo.
    """
    longest = min(round_up(max(most, min_size), divisible_by), size)
    count = len(tile_starts(size, longest, halo, divisible_by))
    overlap = 2 * round_up(halo, divisible_by) * (count - 1)
    return round_up(max(-(-(size + overlap) // count), min_size), divisible_by)


class TilePlan(NamedTuple):
    """Which tiles of one size cover an image.

    Attributes
    ----------
    rows, columns : ndarray of int
        The row and the column of the image that each position of the image with its mirrored borders shows.
    inner : tuple of int
        The position of the image's first row and of its first column.
    tile_shape : tuple of int
        Height and width of every tile.
    tiles : list of two (start, keep_start, keep_stop)
        For the rows and the columns of each tile, as `tile_starts` gives them: positions, not rows of the image.
    """

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    inner: Tuple[int, int]
    tile_shape: Tuple[int, int]
    tiles: List[Tuple[Tuple[int, int, int], Tuple[int, int, int]]]


def plan_tiles(
    shape: Tuple[int, ...],
    tile_shape: Tuple[int, int],
    halo: int,
    divisible_by: int = 1,
    min_size: int = 1,
    only_shape: Optional[Sequence[int]] = None,
) -> TilePlan:
    """Cover an image of this height and width with tiles; see `predict_tiled`, which has the same parameters."""
    least = only_shape or (min_size, min_size)
    rows, columns = (mirrored_positions(size, divisible_by, side) for size, side in zip(shape, least))
    height, width = len(rows), len(columns)
    tile_y, tile_x = only_shape or (
        shortest_tile(size, most, halo, divisible_by, min_size) for size, most in zip((height, width), tile_shape)
    )
    tiles = [
        (row, column)
        for row in tile_starts(height, tile_y, halo, divisible_by)
        for column in tile_starts(width, tile_x, halo, divisible_by)
    ]
    top, left = (_missing(size, divisible_by, side) // 2 for size, side in zip(shape, least))
    return TilePlan(rows, columns, (top, left), (tile_y, tile_x), tiles)


def read_tile(
    read: Callable[[slice, slice], npt.NDArray[np.float32]], plan: TilePlan, place: int
) -> npt.NDArray[np.float32]:
    """Return a tile (C, y, x) of an image of which parts can be read; its borders are mirrored."""
    (y, _, _), (x, _, _) = plan.tiles[place]
    rows, columns = plan.rows[y : y + plan.tile_shape[0]], plan.columns[x : x + plan.tile_shape[1]]
    first, first_column = int(rows.min()), int(columns.min())
    part = read(slice(first, int(rows.max()) + 1), slice(first_column, int(columns.max()) + 1))
    return np.ascontiguousarray(part[:, (rows - first)[:, np.newaxis], columns - first_column])


def predict_tiled(
    image: npt.NDArray[np.float32],
    predict: Predict,
    out_channels: int,
    tile_shape: Tuple[int, int],
    halo: int,
    divisible_by: int = 1,
    min_size: int = 1,
    batch_size: int = 1,
    on_progress: Optional[Callable[[int, int], None]] = None,
    only_shape: Optional[Sequence[int]] = None,
) -> npt.NDArray[np.float32]:
    """Apply a function that sees only a neighborhood of each pixel to a whole image, tile by tile.

    Parameters
    ----------
    image : ndarray of shape (C, Y, X), float32
        Normalized as a whole before, so that all tiles share one contrast.
    predict : callable
        Turns (N, C, y, x) into (N, `out_channels`, y, x).
    out_channels : int
    tile_shape : tuple of int
        Largest height and width of a tile with its halo, pixels, before they are rounded up for the network. Tiles are
        shorter where that needs no more of them.
    halo : int
        Pixels a side that a tile needs for its inner part to be right.
    divisible_by, min_size : int
        What the network takes.
    batch_size : int
        Tiles in one call.
    on_progress : callable, optional
        Called with the tiles done and their number, before the first call and after each. An error that it raises ends
        the work.
    only_shape : two int, optional
        Height and width of every tile, where `predict` takes no other; `tile_shape` and `min_size` do not count then.

    Returns
    -------
    ndarray of shape (out_channels, Y, X), float32

    Raises
    ------
    ValueError
        If the tiles are too small for the halo, or `predict` returns another shape than it should.

    Notes
    -----
    Borders are mirrored as far as the network's sizes ask for. Each pixel is written by exactly one tile. If `halo`
    covers the network's receptive field, the result is that of one pass over the image.
    """
    plan = plan_tiles(image.shape[1:], tile_shape, halo, divisible_by, min_size, only_shape)
    rows, columns, (top, left), (tile_y, tile_x), tiles = plan
    result = np.empty((out_channels, len(rows), len(columns)), np.float32)
    for first in range(0, len(tiles), batch_size):
        if on_progress is not None:
            on_progress(first, len(tiles))
        batch = tiles[first : first + batch_size]
        stack = np.stack([_cut(image, rows[y : y + tile_y], columns[x : x + tile_x]) for (y, _, _), (x, _, _) in batch])
        predicted, promised = predict(stack), (len(batch), out_channels, tile_y, tile_x)
        if predicted.shape != promised:
            raise ModelError(f"The network returned the shape {predicted.shape}; its model card promises {promised}.")
        for tile, ((y, first_row, last_row), (x, first, last)) in zip(predicted, batch):
            result[:, first_row:last_row, first:last] = tile[:, first_row - y : last_row - y, first - x : last - x]
    if on_progress is not None:
        on_progress(len(tiles), len(tiles))
    return result[:, top : top + image.shape[1], left : left + image.shape[2]]


def _cut(
    image: npt.NDArray[np.float32], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> npt.NDArray[np.float32]:
    """Cut a tile out of an image whose borders are mirrored, without a mirrored copy of the whole image."""
    inside = len(rows) == rows[-1] - rows[0] + 1 and len(columns) == columns[-1] - columns[0] + 1
    if inside and (np.diff(rows) == 1).all() and (np.diff(columns) == 1).all():
        return image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return image[:, rows][:, :, columns]  # one after the other: a third of the time
