"""The result of a segmentation: labels, and the probabilities that they were decoded from."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

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
    usable : ndarray of the shape of `labels`, bool, or None
        The pixels that were measured and are in the mask; None if every pixel counts.
    notes : tuple of str
        Sentences that a user should read: what was left out, or had to be assumed.
    confidence : ndarray of shape (n,), float32, or None
        0..1, how certain each object is, in the order of the labels; None where the probabilities alone say it.
    """

    labels: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    scale: float
    usable: Optional[npt.NDArray[np.bool_]] = None
    notes: Tuple[str, ...] = ()
    confidence: Optional[npt.NDArray[np.float32]] = None


def empty_segmentation(
    shape: Tuple[int, ...],
    card: ModelCard,
    usable: Optional[npt.NDArray[np.bool_]] = None,
    notes: Tuple[str, ...] = (),
) -> Segmentation:
    """Return the result for an image of this shape, (Y, X) or (Z, Y, X), in which there is nothing to see."""
    probabilities = np.zeros((len(card.output.roles), *shape), np.float32)
    return Segmentation(np.zeros(shape, np.int32), probabilities, 1.0, usable, notes)
