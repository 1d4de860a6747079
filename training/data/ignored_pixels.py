"""Pixels that nobody labeled: the masks of a data set's folder ignore/, and `IGNORED` in labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.errors import DataError
from cpunet.files.images import read_label_numbers
from cpunet.scores import IGNORED

IGNORE_FOLDER = "ignore"


def read_ignore_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Read a mask, of which any number but 0 marks pixels that nobody labeled.

    Parameters
    ----------
    path : Path
        PNG or TIFF.
    shape : tuple of int
        Of the image, (Y, X).

    Raises
    ------
    ImageError
        If the file is missing or no image.
    DataError
        If it has another shape than the image.
    """
    mask = read_label_numbers(path)
    if mask.shape != shape:
        raise DataError(
            f"{path}: this mask of what is not labeled has the shape {mask.shape}, and its image {shape}; they must "
            "agree."
        )
    return mask != 0


def with_ignored(labels: NDArray[np.integer], ignored: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return labels with `IGNORED` where a mask is true.

    Examples
    --------
    >>> with_ignored(np.array([[1, 1, 0]]), np.array([[False, True, True]])).tolist()
    [[1, -1, -1]]
    """
    return np.where(ignored, IGNORED, labels).astype(np.int32)


def without_ignored(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return labels with background where nobody labeled."""
    return np.maximum(labels, 0)


def continued(labels: NDArray[np.integer], sampling: Sequence[float] | None = None) -> NDArray[np.integer]:
    """Return labels in which the nearest labeled pixel goes on where nobody labeled.

    An object that is cut by the edge of what was labeled has no edge of its own there. `sampling` is the distance of
    two neighbors along each axis, 1 by default.

    Examples
    --------
    >>> continued(np.array([[0, 7, -1, -1]])).tolist()
    [[0, 7, 7, 7]]
    """
    ignored = labels < 0
    if not ignored.any() or ignored.all():
        return without_ignored(labels)
    nearest = ndimage.distance_transform_edt(ignored, sampling, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]
