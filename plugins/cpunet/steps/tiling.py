"""Run a network over an image of any size, tile by tile, with the same result as in one piece."""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ModelError, OptionError

Predict = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def _round_up(size: int, divisible_by: int) -> int:
    return -(-size // divisible_by) * divisible_by


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
    pads, inner = [(0, 0)], []
    for size in image.shape[1:]:
        missing = _round_up(max(size, min_size), divisible_by) - size
        before = missing // 2
        pads.append((before, missing - before))
        inner.append(slice(before, before + size))
    return np.pad(image, pads, mode="reflect"), (inner[0], inner[1])


def check_tile(tile: int, halo: int, divisible_by: int, min_size: int = 1) -> None:
    """Raise OptionError if the halo (pixels a side) leaves nothing of a tile, both rounded up for the network."""
    halo = _round_up(halo, divisible_by)
    if _round_up(max(tile, min_size), divisible_by) <= 2 * halo:
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
    halo = _round_up(halo, divisible_by)
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
    longest = min(_round_up(max(most, min_size), divisible_by), size)
    count = len(tile_starts(size, longest, halo, divisible_by))
    overlap = 2 * _round_up(halo, divisible_by) * (count - 1)
    return _round_up(max(-(-(size + overlap) // count), min_size), divisible_by)


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
    padded, inner = mirror_to_size(image, divisible_by, min_size)
    height, width = padded.shape[1:]
    tile_y, tile_x = (
        shortest_tile(size, most, halo, divisible_by, min_size) for size, most in zip((height, width), tile_shape)
    )
    tiles = [
        (row, column)
        for row in tile_starts(height, tile_y, halo, divisible_by)
        for column in tile_starts(width, tile_x, halo, divisible_by)
    ]
    result = np.empty((out_channels, height, width), np.float32)
    for first in range(0, len(tiles), batch_size):
        if on_progress is not None:
            on_progress(first, len(tiles))
        batch = tiles[first : first + batch_size]
        stack = np.stack([padded[:, y : y + tile_y, x : x + tile_x] for (y, _, _), (x, _, _) in batch])
        predicted, promised = predict(stack), (len(batch), out_channels, tile_y, tile_x)
        if predicted.shape != promised:
            raise ModelError(f"The network returned the shape {predicted.shape}; its model card promises {promised}.")
        for tile, ((y, top, bottom), (x, left, right)) in zip(predicted, batch):
            result[:, top:bottom, left:right] = tile[:, top - y : bottom - y, left - x : right - x]
    if on_progress is not None:
        on_progress(len(tiles), len(tiles))
    return result[:, inner[0], inner[1]]
