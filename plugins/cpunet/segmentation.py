"""The result of a segmentation: labels, and the probabilities that they were decoded from."""

from __future__ import annotations

from typing import NamedTuple, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import ModelCard


class Segmentation(NamedTuple):
    """Objects as a model found them.

    Attributes
    ----------
    labels : ndarray of shape (Y, X), or (Z, Y, X) of a stack, int32
        0 is background, objects are 1..n without gaps.
    probabilities : ndarray of shape (C, Y, X) or (C, Z, Y, X), float32
        0..1, a channel for each role of the model's output.
    scale : float
        By how much the image was enlarged for the network.
    """

    labels: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    scale: float


def empty_segmentation(shape: Tuple[int, ...], card: ModelCard) -> Segmentation:
    """Return the result for an image of this shape, (Y, X) or (Z, Y, X), in which there is nothing to see."""
    return Segmentation(np.zeros(shape, np.int32), np.zeros((len(card.output.roles), *shape), np.float32), 1.0)
