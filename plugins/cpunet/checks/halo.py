"""Measure the halo that the tiles of a network need."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.steps.tiling import Predict

FIELD_PX = 512
PATTERNS = 4
# A probability that moves by less than this cannot change an object.
NOTICEABLE = 1e-3
# A tile of synthetic nuclei is compared with the whole image: diameters, the side of the inner part of the tile,
# and the largest difference of probabilities, half of what `cpunet verify` allows.
DIAMETERS_PX, INNER_PX, CUT_NOTICEABLE = (15.0, 30.0), 128, 1e-2


def measure_halo(predict: Predict, in_channels: int, divisible_by: int, min_size: int = 1, seed: int = 0) -> int:
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

    Returns
    -------
    int
        Pixels a side: one more than `reach_of_impulse`, rounded up to a multiple of `divisible_by`; more if tiles of
        synthetic nuclei need it, up to what a field of 512 pixels can show.
    """
    reach = reach_of_impulse(predict, in_channels, divisible_by, min_size, seed)
    halo = -(-(reach + 1) // divisible_by) * divisible_by
    # A network that was trained on few images may see nothing in noise: then an impulse has no effect.
    return _grow_for_nuclei(halo, predict, in_channels, divisible_by, min_size, seed)


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

    Returns
    -------
    int
        Pixels: the largest distance, along an axis, at which any probability changes by more than `noticeable` when a
        pixel turns from dark to bright. At most half of 512 pixels, or of the next size that the network takes.
    """
    rng = np.random.default_rng(seed)
    side = -(-max(FIELD_PX, min_size) // divisible_by) * divisible_by
    middle = side // 2
    reach = 0
    for pattern in range(PATTERNS):
        coarseness = 2 ** (pattern + 1)
        coarse = rng.random((in_channels, *[-(-side // coarseness)] * 2), np.float32)
        field = scipy.ndimage.zoom(coarse, (1, coarseness, coarseness), order=1, mode="nearest")
        field = field[np.newaxis, :, :side, :side]
        dark, bright = field.copy(), field.copy()
        dark[..., middle, middle] = 0.0
        bright[..., middle, middle] = 1.0
        moved = np.abs(predict(dark) - predict(bright)).max(axis=(0, 1)) > noticeable
        rows, columns = np.nonzero(moved)
        if len(rows):
            reach = max(reach, int(np.abs(rows - middle).max()), int(np.abs(columns - middle).max()))
    return reach
