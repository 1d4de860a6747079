"""Measure how far a network looks: the halo that a tile needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

FIELD_PX = 512
PATTERNS = 4
# A probability that moves by less than this cannot change an object.
NOTICEABLE = 1e-3


def measure_halo(network: Callable[[Tensor], Tensor], in_channels: int, divisible_by: int, seed: int = 0) -> int:
    """Change one pixel, and see how far away the output moves.

    Parameters
    ----------
    network : callable
        Turns (1, C, Y, X) into probabilities; a Module in evaluation mode, or anything that runs one.
    in_channels : int
    divisible_by : int
        The halo is rounded up to a multiple of it.
    seed : int
        Of the noise images, some smooth and some rough, on which it is measured.

    Returns
    -------
    int
        Pixels a side: the largest distance, along an axis, at which any probability moves by more than
        0.001 when a pixel goes from dark to bright. At most half of 512 pixels.
    """
    rng = np.random.default_rng(seed)
    middle = FIELD_PX // 2
    reach = 0
    for pattern in range(PATTERNS):
        coarse = rng.random((1, in_channels, *[FIELD_PX // 2 ** (pattern + 1)] * 2), np.float32)
        field = nn.functional.interpolate(torch.from_numpy(coarse), size=(FIELD_PX, FIELD_PX), mode="bilinear")
        dark, bright = field.clone(), field.clone()
        dark[..., middle, middle] = 0.0
        bright[..., middle, middle] = 1.0
        with torch.inference_mode():
            moved = (network(dark) - network(bright)).abs().amax(dim=(0, 1)) > NOTICEABLE
        rows, columns = torch.nonzero(moved, as_tuple=True)
        if len(rows):
            reach = max(reach, int((rows - middle).abs().max()), int((columns - middle).abs().max()))
    return -(-(reach + 1) // divisible_by) * divisible_by
