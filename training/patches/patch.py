"""A piece of an image with its labels: cut at random, with one number for each connected piece, or empty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

from cpunet.training.data.ignored_pixels import with_ignored, without_ignored


@dataclass(frozen=True)
class Patch:
    """A piece of an image with its labels.

    Attributes
    ----------
    image : ndarray of shape (C, Y, X), float32
        Normalized.
    labels : ndarray of shape (Y, X), int32
        0 is background; `cpunet.scores.IGNORED` marks pixels that nobody labeled.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int32]


def crop_at_random(patch: Patch, size: int, rng: np.random.Generator) -> Patch:
    """Cut a square out of an image, mirroring it first where it is too small.

    Parameters
    ----------
    patch : Patch
        The whole image.
    size : int
        Height and width of the result, pixels.
    rng : numpy.random.Generator

    Returns
    -------
    Patch
        Of shape (C, size, size), with a labeled pixel in it, and in its middle if there would be none by chance. A
        mirrored object keeps the number of its original, see `label_pieces`.
    """
    height, width = patch.labels.shape
    pad = [(0, max(0, size - height)), (0, max(0, size - width))]
    image, labels = patch.image, patch.labels
    if any(after for _, after in pad):
        image = np.pad(image, [(0, 0), *pad], mode="reflect")
        labels = np.pad(labels, pad, mode="reflect")
    top = rng.integers(0, labels.shape[0] - size + 1)
    left = rng.integers(0, labels.shape[1] - size + 1)
    window = (slice(top, top + size), slice(left, left + size))
    if (labels[window] < 0).all() and (labels >= 0).any():
        middle = rng.choice(np.argwhere(labels >= 0))
        window = tuple(
            slice(start, start + size)
            for start in np.clip(middle - size // 2, 0, np.array(labels.shape) - size).tolist()
        )
    return Patch(image[(slice(None), *window)], labels[window])


def label_pieces(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Give each connected piece of each object its own number, 1..n: a crop can leave an object in two pieces.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background; pixels that nobody labeled stay so.

    Returns
    -------
    ndarray of shape (Y, X), int32
        In the order in which rows reach them. Pixels that meet at a corner only are not connected.

    Examples
    --------
    >>> label_pieces(np.array([[7, 0, 7, 3]])).tolist()
    [[1, 0, 2, 3]]
    """
    pieces: NDArray[np.int32] = label(without_ignored(labels), background=0, connectivity=1).astype(np.int32)
    return with_ignored(pieces, labels < 0)


def empty_patch(channels: int, patch_size: int, rng: np.random.Generator) -> Patch:
    """Return a synthetic field without an object: smoothed noise, stretched to the contrast of a real image.

    Returns
    -------
    Patch
        Of shape (channels, patch_size, patch_size); labels all 0.
    """
    noise = rng.standard_normal((channels, patch_size, patch_size))
    smooth = ndimage.gaussian_filter(noise, (0, *[rng.choice([0.0, 0.7, 1.5])] * 2))
    low, high = np.percentile(smooth, (1, 99.8))
    image = ((smooth - low) / (high - low)).astype(np.float32)
    return Patch(image, np.zeros((patch_size, patch_size), np.int32))
