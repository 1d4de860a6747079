"""Count the pixels and objects in which two label images of one picture differ, whatever their numbers."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from cpunet.scores import overlap, pool_scores, score_image

# The GPU rounds otherwise than the CPU, so pixels at a threshold may go to the other side: at most so many.
MOST_PIXELS = 1e-3
LEAST_F1 = 0.99


class Difference(NamedTuple):
    """How two label images of shape (Y, X) differ.

    Attributes
    ----------
    pixels : int
        Pixels that do not belong to the same object in both, or to the background in both.
    share : float
        The same as a part of all pixels, 0..1.
    objects, other_objects, pairs : int
        Objects of each, and how many are the same object in both: their IoU is above 0.5.
    f1 : float
        At IoU 0.9.
    """

    pixels: int
    share: float
    objects: int
    other_objects: int
    pairs: int
    f1: float

    @property
    def is_rounding(self) -> bool:
        """True if both found the same objects, one at least, and their outlines differ in few pixels."""
        return self.pairs > 0 and self.share <= MOST_PIXELS and self.f1 >= LEAST_F1

    def __str__(self) -> str:
        """Return the numbers for a table."""
        return (
            f"{self.pixels} pixels differ; {self.objects} and {self.other_objects} objects, {self.pairs} pairs, "
            f"F1 at 0.9 {self.f1:.4f}"
        )


def difference(labels: np.ndarray, other: np.ndarray) -> Difference:
    """Compare two label images (Y, X), integer; ValueError if their shapes differ.

    >>> difference(np.array([[1, 1, 0, 2]]), np.array([[2, 2, 0, 1]])).pixels
    0
    """
    iou = overlap(labels, other).iou
    rows, columns = linear_sum_assignment(-np.where(iou > 0.5, iou, 0))
    paired = iou[rows, columns] > 0.5
    numbers, other_numbers = np.unique(labels[labels != 0]), np.unique(other[other != 0])
    new_numbers = np.full(int(other.max()) + 1, -1)
    new_numbers[0] = 0
    new_numbers[other_numbers[columns[paired]]] = numbers[rows[paired]]
    pixels = int((new_numbers[other] != labels).sum())
    scores = pool_scores([score_image(labels, other)])
    return Difference(pixels, pixels / labels.size, len(numbers), len(other_numbers), int(paired.sum()), scores.f1[0.9])
