"""Measure the halo that the tiles of a network need."""

from __future__ import annotations

import itertools
from typing import Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.steps.tiling import Predict

FIELD_PX = 512
# The noise is smooth over so many pixels.
COARSENESSES_PX = (2, 4, 8, 16)
# A probability that moves by less than this cannot change an object.
NOTICEABLE = 1e-3
# A tile of synthetic nuclei is compared with the whole image: diameters, the side of the inner part of the tile,
# and the largest difference of probabilities, half of what `cpunet verify` allows.
DIAMETERS_PX, INNER_PX, CUT_NOTICEABLE = (15.0, 30.0), 128, 1e-2


def measure_halo(
    predict: Predict,
    in_channels: int,
    divisible_by: int,
    min_size: int = 1,
    seed: int = 0,
    only_shape: Optional[Sequence[int]] = None,
) -> int:
    """Choose the halo that a network's tiles need.

    Parameters
    ----------
    predict : callable
        Turns (1, C, Y, X) float32 into probabilities (1, roles, Y, X).
    in_channels : int
    divisible_by, min_size : int
        What the network takes, pixels.
    seed : int
        Of the noise on which it is measured.
    only_shape : two int, optional
        Height and width of a network that takes no other; its halo is at most `largest_halo`.

    Returns
    -------
    int
        Pixels a side: one more than `reach_of_impulse`, rounded up to a multiple of `divisible_by`; more if tiles of
        synthetic nuclei need it, up to what a field of 512 pixels can show.
    """
    reach = reach_of_impulse(predict, in_channels, divisible_by, min_size, seed, only_shape=only_shape)
    halo = -(-(reach + 1) // divisible_by) * divisible_by
    if only_shape is not None:  # there is no larger field to compare a tile with
        return min(halo, largest_halo(only_shape, divisible_by))
    # A network that was trained on few images may see nothing in noise: then an impulse has no effect.
    return _grow_for_nuclei(halo, predict, in_channels, divisible_by, min_size, seed)


def largest_halo(tile_shape: Sequence[int], divisible_by: int) -> int:
    """Return the largest halo with which tiles of one shape are of use: half of their shorter side is kept at least."""
    return min(tile_shape) // 4 // divisible_by * divisible_by


def _grow_for_nuclei(halo: int, predict: Predict, in_channels: int, divisible_by: int, min_size: int, seed: int) -> int:
    """Enlarge a halo until the inner part of a tile of synthetic nuclei is predicted as in the whole field."""
    inner = -(-max(INNER_PX, min_size) // divisible_by) * divisible_by
    side = -(-max(FIELD_PX, min_size) // divisible_by) * divisible_by
    start = (side - inner) // 2 // divisible_by * divisible_by
    kept = slice(start, start + inner)
    for diameter, touching in itertools.product(DIAMETERS_PX, (False, True)):
        columns = int(side / (2 * diameter))
        shape = (side, side)
        planes = [synthetic_field(shape, columns, diameter, touching, seed + c).image for c in range(in_channels)]
        field = np.stack(planes)[np.newaxis]
        whole = predict(field)[..., kept, kept]
        while halo + divisible_by <= start:
            tile = slice(start - halo, start + inner + halo)
            found = predict(field[..., tile, tile])[..., halo : halo + inner, halo : halo + inner]
            if np.abs(found - whole).max() <= CUT_NOTICEABLE:
                break
            halo += divisible_by
    return halo


def reach_of_impulse(
    predict: Predict,
    in_channels: int,
    divisible_by: int,
    min_size: int = 1,
    seed: int = 0,
    noticeable: float = NOTICEABLE,
    only_shape: Optional[Sequence[int]] = None,
) -> int:
    """Change one pixel, and measure how far away the output changes.

    Parameters
    ----------
    predict : callable
        Turns (1, C, Y, X) float32 into probabilities (1, roles, Y, X).
    in_channels : int
    divisible_by, min_size : int
        What the network takes, pixels.
    seed : int
        Of the noise images, some smooth and some rough, in which the pixel changes.
    noticeable : float
        By how much a probability must change to count.
    only_shape : two int, optional
        Height and width of a network that takes no other.

    Returns
    -------
    int
        Pixels: the largest distance, along an axis, at which any probability changes by more than `noticeable` when a
        pixel turns from dark to bright. At most half of 512 pixels, or of the next size that the network takes.
    """
    rng = np.random.default_rng(seed)
    height, width = only_shape or [-(-max(FIELD_PX, min_size) // divisible_by) * divisible_by] * 2
    return max(
        reach_in_field(predict, noise_field(rng, in_channels, (height, width), (size, size)), (0.0, 1.0), noticeable)
        for size in COARSENESSES_PX
    )


def noise_field(
    rng: np.random.Generator, in_channels: int, shape: Sequence[int], coarseness: Sequence[int]
) -> npt.NDArray[np.float32]:
    """Make noise (1, C) and `shape`, 0..1, which is smooth over as many pixels of each axis as `coarseness` says."""
    coarse = rng.random((in_channels, *(-(-size // step) for size, step in zip(shape, coarseness))), np.float32)
    field: npt.NDArray[np.float32] = scipy.ndimage.zoom(coarse, (1, *coarseness), order=1, mode="nearest")
    return field[(np.newaxis, slice(None), *(slice(size) for size in shape))]


def reach_in_field(
    predict: Predict,
    field: npt.NDArray[np.float32],
    dark_and_bright: Sequence[float],
    noticeable: float = NOTICEABLE,
) -> int:
    """Measure how far away the output changes, as `reach_of_impulse` does, in the middle of one field (1, C, Y, X)."""
    return max(reach_along_axes(predict, field, dark_and_bright, noticeable))


def reach_along_axes(
    predict: Predict,
    field: npt.NDArray[np.float32],
    dark_and_bright: Sequence[float],
    noticeable: float = NOTICEABLE,
) -> Tuple[int, ...]:
    """Measure along each axis of a field (1, C, Y, X) or (1, C, Z, Y, X) how far from its middle the output changes."""
    middle = tuple(size // 2 for size in field.shape[2:])
    dark, bright = field.copy(), field.copy()
    dark[(..., *middle)], bright[(..., *middle)] = dark_and_bright
    moved = np.abs(predict(dark) - predict(bright)).max(axis=(0, 1)) > noticeable
    return tuple(
        int(np.abs(places - place).max()) if len(places) else 0 for places, place in zip(np.nonzero(moved), middle)
    )
