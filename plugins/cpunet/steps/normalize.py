"""Bring an image of any real type and brightness to the range that a model was trained on."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import Normalization

# Percentiles of a very large image are taken from an even grid of this many pixels: a sort of the
# whole mosaic would take longer than the network, and move the result by less than its noise.
PIXELS_ENOUGH_FOR_PERCENTILES = 2_000_000


def contrast_limits(
    plane: npt.NDArray[np.float32],
    percentile_low: float,
    percentile_high: float,
    usable: Optional[npt.NDArray[np.bool_]] = None,
) -> Tuple[float, float]:
    """Return the two intensities that become 0 and 1.

    Parameters
    ----------
    plane : ndarray of shape (Y, X), float32
        One channel. Pixels that are not finite must be left out by `usable`.
    percentile_low, percentile_high : float
        Percentiles, 0 to 100, low < high.
    usable : ndarray of shape (Y, X), bool, optional
        Pixels that count; all of them by default.

    Returns
    -------
    low, high : float
        Intensities in the units of the image. Equal only if every usable pixel has the same value,
        or if there is none.

    Notes
    -----
    Where the two percentiles coincide though the image is not constant (one bright object in a large
    dark field), the minimum and maximum are used instead, so that the object is not lost.
    """
    values = plane.ravel() if usable is None else plane[usable]
    if values.size == 0:
        return 0.0, 0.0
    stride = -(-values.size // PIXELS_ENOUGH_FOR_PERCENTILES)
    low, high = np.percentile(values[::stride], (percentile_low, percentile_high))
    if high <= low:
        low, high = values.min(), values.max()
    return float(low), float(high)


def normalize(
    image: npt.NDArray[np.float32],
    normalization: Normalization,
    usable: Optional[npt.NDArray[np.bool_]] = None,
) -> npt.NDArray[np.float32]:
    """Normalize a whole image, channel by channel, as a model's card asks for.

    Parameters
    ----------
    image : ndarray of shape (C, Y, X), float32
        Any units.
    normalization : Normalization
        The kind and its numbers, from the model card.
    usable : ndarray of shape (Y, X), bool, optional
        Pixels that set the contrast. Those outside (masked out, or not finite) become 0.

    Returns
    -------
    ndarray of shape (C, Y, X), float32
        For ``percentile``, 0 at `percentile_low` and 1 at `percentile_high`, limited to -1..`clip_high` so that
        one hot pixel or piece of debris cannot leave the range that the network knows. A channel in
        which all usable pixels are equal becomes 0 everywhere.

    Notes
    -----
    Percentiles follow the bulk of an image, not its bit depth: a 12-bit camera's image arrives in
    CellProfiler as 0..0.0625 and gives the same result as the same image in 8 bits.
    """
    normalized = np.zeros(image.shape, np.float32)
    for plane, target in zip(image, normalized):
        if normalization.kind == "none":
            np.copyto(target, plane)
        else:
            low, high = contrast_limits(plane, normalization.percentile_low, normalization.percentile_high, usable)
            if high > low:
                np.subtract(plane, np.float32(low), out=target)
                target *= np.float32(1.0 / (high - low))
                np.clip(target, -1.0, normalization.clip_high, out=target)
        if usable is not None:
            target[~usable] = 0.0
    return normalized
