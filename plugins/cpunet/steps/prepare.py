"""Prepare an image for a model: find its usable pixels, and normalize it by them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.card import InputCard, Normalization
from cpunet.steps.pixels.channels import COLORS, Mask, channels_of
from cpunet.steps.pixels.fill import defects, fill
from cpunet.steps.pixels.padding import find_padding
from cpunet.steps.pixels.percentiles import percentile_of

# The percentiles of a larger image are those of an even grid of this many pixels: sorting a whole mosaic would take
# longer than the network, and move the result by less than its noise.
PIXELS_ENOUGH_FOR_PERCENTILES = 2_000_000
# A line of pixels has no objects with a center and an outline, and CellProfiler cannot hold any.
LEAST_SIDE_PX = 2
UNITS_UNKNOWN = (
    "The model card says that images are not normalized, and not in which units the model reads them. Values of 0 to 1 "
    "were given to it, as CellProfiler has them. If it was trained on the numbers of the files, change that once: "
    "cpunet card edit MODEL.onnx --set input.normalization.units=as_stored"
)


class Prepared(NamedTuple):
    """An image as a model reads it.

    Attributes
    ----------
    channels : ndarray of shape (C, Y, X), float32
        As `normalize` gives them. What was not measured is filled from what lies beside it.
    usable : ndarray of shape (Y, X), bool, or None
        The pixels that were measured and are in the mask; None if every pixel counts.
    notes : tuple of str
        Sentences that a user should read: what was left out, or had to be assumed.
    """

    channels: npt.NDArray[np.float32]
    usable: Optional[Mask]
    notes: Tuple[str, ...]


def prepare(image: npt.NDArray[Any], card: InputCard, mask: Optional[Mask] = None) -> Prepared:
    """Check an image against what the model takes, and normalize it.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    card : InputCard
    mask : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    Prepared

    Raises
    ------
    ValueError
        If the shape or type does not fit.

    Notes
    -----
    1. Pixels that are not finite, and padding, set no contrast and belong to no object.
    2. The rest is normalized by the card.
    3. They are filled by mirroring, so that the network sees no edge where the image ends. Points and lines of pixels
       that are not finite then count as measured. Masked-out pixels stay 0: a mask may be the outline of the objects.
    """
    channels, usable, empty, notes = measured_channels(image, card.channels, card.normalization, mask)
    normalized = normalize(channels, card.normalization, usable)
    if empty is not None and usable is not None and usable.any():
        hidden = empty if mask is None else empty & mask
        _fill_measured(normalized, usable, hidden)
        usable = usable | defects(hidden)
    return Prepared(normalized, usable, notes)


def _fill_measured(normalized: npt.NDArray[np.float32], usable: Mask, hidden: Mask) -> None:
    """Fill the hidden pixels from the usable ones; pixels that are neither keep their values."""
    if (usable | hidden).all():
        fill(normalized, hidden)
        return
    filled = normalized.copy()
    fill(filled, ~usable)
    np.copyto(normalized, filled, where=hidden)


def measured_channels(
    image: npt.NDArray[Any], channel_names: Sequence[str], normalization: Normalization, mask: Optional[Mask] = None
) -> Tuple[npt.NDArray[np.float32], Optional[Mask], Optional[Mask], Tuple[str, ...]]:
    """Put an image's channels first, as `channels_of` does, and find what was not measured.

    Returns
    -------
    channels : ndarray of shape (C, Y, X), float32
    usable : ndarray of shape (Y, X), bool, or None
        Without what was not measured.
    empty : ndarray of shape (Y, X), bool, or None
        Padding, and pixels that are not finite. None if all was measured.
    notes : tuple of str
    """
    channels, usable = channels_of(image, channel_names, normalization, mask)
    notes: Tuple[str, ...] = (UNITS_UNKNOWN,) if normalization.kind == "none" and not normalization.units else ()
    empty = None if usable is mask else np.logical_not(_finite(image))
    padding = _padding(channels, tuple(channel_names) == COLORS, empty)
    if padding is not None:
        measured = ~padding if usable is None else usable & ~padding
        if measured.any() and (usable is None or (usable & padding).any()):
            share = float(np.mean(padding if mask is None else padding[mask]))
            notes += (
                f"{share:.1%} of the image are padding: one value, with straight edges, that was not measured. These "
                "pixels set no contrast and belong to no object.",
            )
            usable, empty = measured, padding if empty is None else empty | padding
    return channels, usable, empty, notes


def _finite(image: npt.NDArray[Any]) -> Mask:
    finite: Mask = np.isfinite(image)
    return np.logical_and.reduce(finite, axis=2) if finite.ndim == 3 else finite


def _padding(channels: npt.NDArray[np.float32], colors: bool, empty: Optional[Mask]) -> Optional[Mask]:
    """Find the padding of any channel; of colors, that of their mean, as one color alone may be saturated."""
    padding: Optional[Mask] = None
    planes = [channels.mean(axis=0)] if colors else channels
    for plane in planes:
        found = find_padding(plane if empty is None else np.where(empty, np.float32(np.nan), plane))
        if found is not None:
            padding = found if padding is None else padding | found
    return padding


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
    contrasts = [measured_contrast(plane, normalization, usable) for plane in image]
    return stretch(image, contrasts, normalization, usable)


class Contrast(NamedTuple):
    """The intensity that becomes 0, and how far from it lies what becomes 1, in the units of the image.

    A `step` of 0 says that there is no contrast.
    """

    zero: float
    step: float


def measured_contrast(
    plane: npt.NDArray[np.float32], normalization: Normalization, usable: Optional[npt.NDArray[np.bool_]] = None
) -> Contrast:
    """Measure the contrast of a plane (Y, X), float32, by its usable pixels, as a model's card asks for."""
    if normalization.kind == "percentile":
        low, high = contrast_limits(plane, normalization.percentile_low, normalization.percentile_high, usable)
        return Contrast(low, high - low)
    return Contrast(*mean_and_deviation(plane, usable)) if normalization.kind != "none" else Contrast(0.0, 1.0)


def stretch(
    image: npt.NDArray[np.float32],
    contrasts: Sequence[Contrast],
    normalization: Normalization,
    usable: Optional[npt.NDArray[np.bool_]] = None,
) -> npt.NDArray[np.float32]:
    """Normalize (C, Y, X), float32, by the contrast of each channel; see `normalize`. The rest is not looked at.

    So a part of an image becomes what it is in the whole image, if the contrasts are those of the whole.
    """
    normalized = np.zeros(image.shape, np.float32)
    for plane, target, (zero, step) in zip(image, normalized, contrasts):
        if normalization.kind == "none":
            np.copyto(target, plane)
        elif step > 0:
            np.subtract(plane, np.float32(zero), out=target)
            target *= np.float32(1.0 / step)
            if normalization.kind == "percentile":
                np.clip(target, normalization.clip_low, normalization.clip_high, out=target)
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


def stride_for_percentiles(pixels: int) -> int:
    """Return the distance of the pixels whose percentiles stand for those of so many, counted row by row."""
    return -(-pixels // PIXELS_ENOUGH_FOR_PERCENTILES)


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
    stride = stride_for_percentiles(values.size)
    low, high = (percentile_of(values[::stride], percentile) for percentile in (percentile_low, percentile_high))
    if high <= low:
        return float(values.min()), float(values.max())
    return low, high
