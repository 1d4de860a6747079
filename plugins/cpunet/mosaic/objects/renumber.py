"""Count and renumber the objects of labels on the disk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cpunet.mosaic.disk_array import DiskArray, bands_of
from cpunet.steps.filters import pixels_of_labels


def pixels_of_labels_on_disk(labels: DiskArray) -> npt.NDArray[np.int64]:
    """Count the pixels of each label, from 0 to the highest; see `cpunet.steps.filters.pixels_of_labels`."""
    counts = np.zeros(1, np.int64)
    for rows in bands_of(labels.shape):
        found = pixels_of_labels(labels.read(rows))
        if len(found) > len(counts):
            counts = np.concatenate([counts, np.zeros(len(found) - len(counts), np.int64)])
        counts[: len(found)] += found
    return counts


def keep_and_renumber(labels: DiskArray, kept: npt.NDArray[np.bool_], in_order: bool = True) -> int:
    """Keep the objects whose entry in `kept`, by label, is True, and return their number.

    They are numbered 1..n in their order; or, if not `in_order`, keep their labels.
    """
    kept = kept.copy()
    kept[0] = False
    numbers = np.cumsum(kept) if in_order else np.arange(len(kept))
    table = np.where(kept, numbers, 0).astype(np.int32)
    for rows in bands_of(labels.shape):
        labels.write(table[labels.read(rows)], rows)
    return int(np.count_nonzero(kept))
