"""Cut a piece out of a labeled volume at random."""

from __future__ import annotations

import numpy as np

from cpunet.training.patches.patch import Patch


def crop_at_random(patch: Patch, shape: tuple[int, ...], rng: np.random.Generator) -> Patch:
    """Cut a box out of a volume, mirroring it first where it is too small; a single plane is repeated.

    Parameters
    ----------
    patch : Patch
        The whole volume: image (C, Z, Y, X), labels (Z, Y, X).
    shape : tuple of int
        Planes, height and width of the result.
    rng : numpy.random.Generator

    Returns
    -------
    Patch
        With a labeled voxel in it, and in its middle if there would be none by chance. A mirrored object keeps the
        number of its original, see `cpunet.training.patches.patch.label_pieces`.
    """
    image, labels = patch.image, patch.labels
    pad = [(0, max(0, size - own)) for size, own in zip(shape, labels.shape, strict=True)]
    if any(after for _, after in pad):
        image = np.pad(image, [(0, 0), *pad], mode="reflect")
        labels = np.pad(labels, pad, mode="reflect")
    largest = np.array(labels.shape) - shape
    window = _window(rng.integers(0, largest + 1), shape)
    if (labels[window] < 0).all() and (labels >= 0).any():
        middle = rng.choice(np.argwhere(labels >= 0))
        window = _window(np.clip(middle - np.array(shape) // 2, 0, largest), shape)
    return Patch(image[(slice(None), *window)], labels[window])


def _window(corner: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(start, start + size) for start, size in zip(corner.tolist(), shape, strict=True))
