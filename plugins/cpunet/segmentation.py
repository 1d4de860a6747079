"""The result of a segmentation: labels, and the probabilities or the objects that they were made from."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import INSTANCES, ModelCard
from cpunet.model.instances import Instances


class FoundInstances(NamedTuple):
    """The objects of an image as a network gave them, before they are drawn.

    Attributes
    ----------
    instances : Instances
        Their boxes are pixels of the image as it was given.
    numbers : ndarray of shape (n,), int32
        The object, from 1 on, to which each belongs: one that no tile saw whole is given in pieces.
    notes : tuple of str
        Sentences that a user should read.
    """

    instances: Instances
    numbers: npt.NDArray[np.int32]
    notes: Tuple[str, ...] = ()


class Segmentation(NamedTuple):
    """Objects as a model found them.

    Attributes
    ----------
    labels : ndarray of shape (Y, X), or (Z, Y, X) of a stack, int32
        0 is background, objects are 1..n without gaps.
    probabilities : ndarray of shape (C, Y, X) or (C, Z, Y, X), float32
        0..1, a channel for each role of the model's output. Of a model that gives objects: the foreground, with the
        probability of the mask times the score of its object.
    scale : float
        By how much the image was enlarged for the network; of a volume, its height and width.
    usable : ndarray of the shape of `labels`, bool, or None
        The pixels that were measured and are in the mask; None if every pixel counts.
    notes : tuple of str
        Sentences that a user should read: what was left out, or had to be assumed.
    confidence : ndarray of shape (n,), float32, or None
        0..1, how certain each object is, in the order of the labels: the score of a model that gives objects, or the
        IoU that is predicted for an object that was chosen. None where the probabilities alone say it.
    instances : FoundInstances or None
        What a model that gives objects gave for the whole of a plane, before it was drawn.
    """

    labels: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    scale: float
    usable: Optional[npt.NDArray[np.bool_]] = None
    notes: Tuple[str, ...] = ()
    confidence: Optional[npt.NDArray[np.float32]] = None
    instances: Optional[FoundInstances] = None


def empty_segmentation(
    shape: Tuple[int, ...],
    card: ModelCard,
    usable: Optional[npt.NDArray[np.bool_]] = None,
    notes: Tuple[str, ...] = (),
) -> Segmentation:
    """Return the result for an image of this shape, (Y, X) or (Z, Y, X), in which there is nothing to see."""
    probabilities = np.zeros((len(card.output.roles), *shape), np.float32)
    confidence = np.zeros(0, np.float32) if card.output.kind == INSTANCES else None
    return Segmentation(np.zeros(shape, np.int32), probabilities, 1.0, usable, notes, confidence)
