"""The synthetic images that the proofs use."""

from functools import lru_cache
from typing import Tuple

import numpy as np

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.protocol import Model

Shape = Tuple[int, int]
SMALL: Shape = (520, 696)
LARGE: Shape = (2048, 2048)
BLOCK = 512
SPACING = 2.4


@lru_cache(maxsize=None)
def _gray(shape: Shape, diameter_px: float) -> np.ndarray:
    # Copies of one block: to draw a field of the whole size would take longer than to segment it.
    sides = tuple(min(side, BLOCK) for side in shape)
    columns = max(1, int(sides[1] / (SPACING * diameter_px)))
    block = synthetic_field(sides, columns, diameter_px, touching=True).image
    copies = tuple(-(-whole // side) for whole, side in zip(shape, sides))
    return np.tile(block, copies)[: shape[0], : shape[1]]


def field(shape: Shape, model: Model) -> np.ndarray:
    """Draw touching bright nuclei of the diameter that a model knows, on a dark background.

    Returns an image (Y, X), or (Y, X, C) of a gray value in each channel that the model takes; float32, 0..1.
    """
    gray = _gray(shape, model.card.input.diameter_px)
    channels = len(model.card.input.channels)
    return gray if channels == 1 else np.stack([gray] * channels, axis=-1)
