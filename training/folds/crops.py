"""Find images that show a part of the same field: crops of one image, also such as overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cpunet.files.images import gray_of_equal_colors

# A block of so many pixels a side, with so many different values, is in two images only if they show the same field.
BLOCK_PX, LEAST_VALUES = 16, 12
# Such blocks are cut from each image at these distances, and looked for at every position of the others.
GRID_PX = 32
# Offsets that are compared pixel by pixel for two images; more come only from patterns that repeat.
MOST_OFFSETS = 3
Numbers = NDArray[np.uint64]
Place = tuple[int, int, int]


def same_field(number: int, read: Callable[[int], NDArray[np.generic]]) -> list[tuple[int, int]]:
    """Find pairs of images of which one is a crop of the other, or both are overlapping crops of one image.

    Parameters
    ----------
    number : int
        Of images.
    read : callable
        Returns image `index`, (Y, X) or (Y, X, C), any real dtype. Each is read twice, and once more to be compared.

    Returns
    -------
    list of two int
        Pairs of images whose pixels are equal wherever they overlap, 0 to `number` - 1, each pair once.

    Notes
    -----
    1. Blocks with some contrast are cut from each image, and a hash of each is kept.
    2. The hash of each block of each image is compared with these (Karp, Rabin 1987, doi:10.1147/rd.312.0249).
    3. Where two agree, the whole overlap of the images is compared.

    A crop that was turned, rescaled or stretched in contrast is not found.
    """
    blocks: dict[int, list[Place]] = defaultdict(list)
    for index in range(number):
        for top, left, key in _blocks_of(_numbers(read(index))):
            blocks[key].append((index, top, left))
    keys = np.array(sorted(blocks), np.uint64)
    offsets: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    for index in range(number):
        hashes = _hashes(_numbers(read(index)))
        # The first place of each block is enough, as a pattern may repeat all over an image.
        places = np.flatnonzero(np.isin(hashes, keys))
        found, first = np.unique(hashes.ravel()[places], return_index=True)
        for key, place in zip(found.tolist(), places[first].tolist(), strict=True):
            y, x = divmod(place, hashes.shape[1])
            for other, top, left in blocks[key]:
                # The pair (a, b) with a before b, and where b's first pixel lies in a.
                pair = (index, other) if index < other else (other, index)
                offset = (y - top, x - left) if index < other else (top - y, left - x)
                if index != other and len(offsets[pair]) < MOST_OFFSETS:
                    offsets[pair].add(offset)
    return [
        pair
        for pair, tried in sorted(offsets.items())
        if any(_equal_where_both_are(*(_numbers(read(index)) for index in pair), offset) for offset in sorted(tried))
    ]


def _numbers(image: NDArray[np.generic]) -> Numbers:
    """Return one whole number for each pixel: equal only for equal values of all channels, but for a rare chance."""
    planes = gray_of_equal_colors(image)
    planes = planes[..., np.newaxis] if planes.ndim == 2 else planes
    if planes.dtype.kind == "f":
        planes = planes.astype(np.float64).view(np.uint64)
    factors = np.random.default_rng(planes.shape[2]).integers(1, 2**63, planes.shape[2], dtype=np.uint64)
    numbers: Numbers = (planes.astype(np.uint64) * factors).sum(axis=2, dtype=np.uint64)
    return numbers


def _hashes(numbers: Numbers) -> Numbers:
    """Return the hash of the block that begins at each pixel; what overflows 64 bits is dropped, as hashes want it."""
    shape = [max(0, size - BLOCK_PX + 1) for size in numbers.shape]
    weights = np.random.default_rng(BLOCK_PX).integers(1, 2**63, (2, BLOCK_PX), dtype=np.uint64) | np.uint64(1)
    rows = np.zeros((numbers.shape[0], shape[1]), np.uint64)
    for place, weight in enumerate(weights[0]):
        rows += numbers[:, place : place + shape[1]] * weight
    hashes = np.zeros(shape, np.uint64)
    for place, weight in enumerate(weights[1]):
        hashes += rows[place : place + shape[0]] * weight
    return hashes


def _blocks_of(numbers: Numbers) -> list[tuple[int, int, int]]:
    """Cut blocks with some contrast out of an image: top, left, and hash."""
    found = []
    hashes = _hashes(numbers)
    for top in range(0, hashes.shape[0], GRID_PX):
        for left in range(0, hashes.shape[1], GRID_PX):
            if len(np.unique(numbers[top : top + BLOCK_PX, left : left + BLOCK_PX])) >= LEAST_VALUES:
                found.append((top, left, int(hashes[top, left])))
    return found


def _equal_where_both_are(first: Numbers, second: Numbers, offset: tuple[int, int]) -> bool:
    """Return whether two images are equal where they overlap, if the second begins at `offset` in the first."""
    (top, left), (height, width) = offset, second.shape
    rows = slice(max(0, top), min(first.shape[0], top + height))
    columns = slice(max(0, left), min(first.shape[1], left + width))
    there = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    return first[rows, columns].size > 0 and np.array_equal(first[rows, columns], second[there])
