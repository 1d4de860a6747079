"""Prepare an image for a model: check it, put its channels first, find its usable pixels and normalize it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.model.card import InputCard, Normalization

# A model with input channels of these names takes color images, and gray ones as three equal colors.
COLORS = ("red", "green", "blue")
# The percentiles of a larger image are those of an even grid of this many pixels: sorting a whole mosaic would take
# longer than the network, and move the result by less than its noise.
PIXELS_ENOUGH_FOR_PERCENTILES = 2_000_000


def prepare(
    image: npt.NDArray[Any], card: InputCard, mask: Optional[npt.NDArray[np.bool_]] = None
) -> Tuple[npt.NDArray[np.float32], Optional[npt.NDArray[np.bool_]]]:
    """Check an image against what the model takes, and normalize it.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    card : InputCard
    mask : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    channels : ndarray of shape (C, Y, X), float32
        As `normalize` gives them.
    usable : ndarray of shape (Y, X), bool, or None
        None if every pixel counts.

    Raises
    ------
    ValueError
        If the shape or type does not fit.
    """
    channels, usable = channels_of(image, card.channels, mask)
    return normalize(channels, card.normalization, usable), usable


def channels_of(
    image: npt.NDArray[Any], channel_names: Sequence[str], mask: Optional[npt.NDArray[np.bool_]] = None
) -> Tuple[npt.NDArray[np.float32], Optional[npt.NDArray[np.bool_]]]:
    """Check an image against the channels of a model, and put its channels first, as `prepare` does.

    The channels are float32 and not normalized; pixels that are not finite are 0. A model of red, green and blue takes
    a gray image too.
    """
    wanted = len(channel_names)
    takes = f"{wanted} channel{'s' if wanted > 1 else ''} ({', '.join(channel_names)})"
    if not (np.issubdtype(image.dtype, np.number) or image.dtype == bool) or np.iscomplexobj(image):
        raise ImageError(f"The image holds {image.dtype} values; real numbers are needed.")
    if image.ndim not in (2, 3):
        raise ImageError(f"The image has {image.ndim} dimensions {image.shape}; a plane of two, (Y, X), is needed.")
    if image.size == 0:
        raise ImageError(f"The image has no pixels: its shape is {image.shape}.")
    if image.ndim == 2 and tuple(channel_names) == COLORS:
        image = np.broadcast_to(image[..., np.newaxis], (*image.shape, wanted))
    found = 1 if image.ndim == 2 else image.shape[2]
    if found != wanted:
        raise ImageError(
            f"The image has the shape {image.shape}, that is {found} channels, and the model takes {takes}. "
            "For a color image choose a model for color, such as nuclei_generalist, or one channel of the image "
            "first (in CellProfiler: ColorToGray). A 3-D stack must be loaded as one (in CellProfiler: 'Process as "
            "3D?' in NamesAndTypes; in Python: cpunet.segment.segment_stack)."
        )
    if mask is not None and mask.shape != image.shape[:2]:
        raise ImageError(f"The mask has the shape {mask.shape} and the image {image.shape[:2]}; they must agree.")
    channels = np.ascontiguousarray(
        image[np.newaxis] if image.ndim == 2 else np.moveaxis(image, -1, 0), dtype=np.float32
    )
    usable = usable_pixels(image, mask)
    if usable is mask:
        return channels, mask
    return np.where(np.isfinite(channels), channels, np.float32(0)), usable


def brightness(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the mean of an image's channels, in its own units: (Y, X), float32; 0 where it is not finite.

    Outlines are drawn in it rather than in the normalized image. The latter is limited to `clip_high`, and in a field
    of few objects, which its percentiles do not see, all that is above may be an object with its edge.
    """
    plane = image.mean(axis=2, dtype=np.float32) if image.ndim == 3 else image.astype(np.float32)
    return plane if np.isfinite(plane.sum()) else np.nan_to_num(plane, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def usable_pixels(
    image: npt.NDArray[Any], mask: Optional[npt.NDArray[np.bool_]] = None
) -> Optional[npt.NDArray[np.bool_]]:
    """Return the mask (Y, X) without the pixels of the image that are not finite; None if every pixel counts.

    It is `mask` itself if all values are finite.
    """
    finite: npt.NDArray[np.bool_] = np.isfinite(image)
    if finite.all():
        return mask
    if finite.ndim == 3:
        finite = np.logical_and.reduce(finite, axis=2)
    return finite if mask is None else np.logical_and(finite, mask)


def has_contrast(channels: npt.NDArray[np.float32], usable: Optional[npt.NDArray[np.bool_]]) -> bool:
    """Return True if any channel holds two different values among its usable pixels."""
    planes = channels.reshape(len(channels), -1) if usable is None else channels[:, usable]
    return planes.shape[1] > 0 and bool((planes.min(axis=1) < planes.max(axis=1)).any())


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
        From the model card.
    usable : ndarray of shape (Y, X), bool, optional
        Pixels that set the contrast. Those outside (masked out, or not finite) become 0.

    Returns
    -------
    ndarray of shape (C, Y, X), float32
        For ``percentile``, 0 at `percentile_low` and 1 at `percentile_high`, limited to `clip_low`..`clip_high` so that
        one hot pixel or piece of debris cannot leave the range that the network knows. For
        ``zero_mean_unit_variance``, the mean of the usable pixels is 0 and their standard deviation 1. A channel in
        which all usable pixels are equal becomes 0 everywhere.

    Notes
    -----
    Percentiles follow the bulk of an image, not its bit depth: a 12-bit camera's image arrives in
    CellProfiler as 0..0.0625 and gives the same result as the same image in 8 bits.
    """
    if not normalization.per_channel and len(image) > 1:  # all channels are one plane, each below the one before
        joint = None if usable is None else np.tile(usable, (len(image), 1))
        plane = image.reshape(1, -1, image.shape[2])
        return normalize(plane, replace(normalization, per_channel=True), joint).reshape(image.shape)
    normalized = np.zeros(image.shape, np.float32)
    for plane, target in zip(image, normalized):
        if normalization.kind == "none":
            np.copyto(target, plane)
        elif normalization.kind == "percentile":
            low, high = contrast_limits(plane, normalization.percentile_low, normalization.percentile_high, usable)
            if high > low:
                np.subtract(plane, np.float32(low), out=target)
                target *= np.float32(1.0 / (high - low))
                np.clip(target, normalization.clip_low, normalization.clip_high, out=target)
        else:
            mean, deviation = mean_and_deviation(plane, usable)
            if deviation > 0:
                np.subtract(plane, np.float32(mean), out=target)
                target *= np.float32(1.0 / deviation)
        if usable is not None:
            target[~usable] = 0.0
    return normalized


def mean_and_deviation(
    plane: npt.NDArray[np.float32], usable: Optional[npt.NDArray[np.bool_]] = None
) -> Tuple[float, float]:
    """Return the mean and the standard deviation of the usable pixels of a plane (Y, X); both 0 if there is none."""
    values = plane if usable is None else plane[usable]
    if values.size == 0 or values.min() == values.max():  # rounding must not make contrast of a constant image
        return 0.0, 0.0
    return float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))


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
        Intensities in the units of the image. Equal only if every usable pixel has the same value, or if there is
        none. Where the two percentiles coincide although the image is not constant (one bright object in a large
        dark field), they are the minimum and the maximum, so that the object is not lost.
    """
    values = plane.ravel() if usable is None else plane[usable]
    if values.size == 0:
        return 0.0, 0.0
    stride = -(-values.size // PIXELS_ENOUGH_FOR_PERCENTILES)
    low, high = np.percentile(values[::stride], (percentile_low, percentile_high))
    if high <= low:
        low, high = values.min(), values.max()
    return float(low), float(high)
