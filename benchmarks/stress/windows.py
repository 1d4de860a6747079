"""Windows of large images."""

from typing import Tuple

import numpy as np


def window_of_nuclei(labels: np.ndarray, largest: Tuple[int, int]) -> Tuple[slice, slice]:
    """Return the rows and columns of a window around the middle of all nuclei, of this height and width at most."""
    middle = np.argwhere(labels > 0).mean(axis=0)
    starts = [max(0, min(int(at) - most // 2, size - most)) for at, most, size in zip(middle, largest, labels.shape)]
    rows, columns = (slice(start, start + most) for start, most in zip(starts, largest))
    return rows, columns
