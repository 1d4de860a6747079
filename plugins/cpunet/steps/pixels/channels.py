"""Check an image against the channels of a model, and put its channels first, in the units that the model reads."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.model.card import Normalization

Mask = npt.NDArray[np.bool_]
# A model with input channels of these names takes color images, and gray ones as three equal colors.
COLORS = ("red", "green", "blue")
JOIN = (
    "Give it all channels in this order: in CellProfiler select an image for each of them in IdentifyObjectsUNet; in a "
    "file, save them as the channels of one TIFF."
)
CHOOSE_OTHER = (
    "For a color image choose a model for color, such as nuclei_generalist, or one channel of the image first (in "
    "CellProfiler: ColorToGray). A 3-D stack must be loaded as one (in CellProfiler: 'Process as 3D?' in "
    "NamesAndTypes; in Python: cpunet.segment.segment_stack)."
)
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def channels_of(
    image: npt.NDArray[Any],
    channel_names: Sequence[str],
    normalization: Normalization,
    mask: Optional[Mask] = None,
) -> Tuple[npt.NDArray[np.float32], Optional[Mask]]:
    """Check an image against the channels of a model, and put its channels first.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    channel_names : sequence of str
        A gray image is three equal colors for a model of `COLORS`, and an image of equal colors is gray for a model of
        one channel. The opaque alpha channel of a file is left out.
    normalization : Normalization
        If it leaves the image's values as they are, its units decide what the numbers of an integer type become.
    mask : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    channels : ndarray of shape (C, Y, X), float32
        Not normalized; pixels that are not finite are 0.
    usable : ndarray of shape (Y, X), bool, or None
        As `usable_pixels` gives them.

    Raises
    ------
    ImageError
        If the shape or type does not fit.
    """
    if not (np.issubdtype(image.dtype, np.number) or image.dtype == bool) or np.iscomplexobj(image):
        raise ImageError(f"The image holds {image.dtype} values; real numbers are needed.")
    if image.ndim not in (2, 3):
        raise ImageError(f"The image has {image.ndim} dimensions {image.shape}; a plane of two, (Y, X), is needed.")
    if image.size == 0:
        raise ImageError(f"The image has no pixels: its shape is {image.shape}.")
    stored = image
    image = with_channels(image, channel_names)
    wanted = len(channel_names)
    found = 1 if image.ndim == 2 else image.shape[2]
    if found != wanted:
        joined = wanted > 1 and tuple(channel_names) != COLORS
        raise ImageError(
            f"The image has the shape {stored.shape}, that is {found} channels, and the model takes {wanted} "
            f"channel{'s' if wanted > 1 else ''} ({', '.join(channel_names)}). {JOIN if joined else CHOOSE_OTHER}"
        )
    if mask is not None and mask.shape != image.shape[:2]:
        raise ImageError(f"The mask has the shape {mask.shape} and the image {image.shape[:2]}; they must agree.")
    _refuse_beyond_float32(image)
    channels = np.ascontiguousarray(
        image[np.newaxis] if image.ndim == 2 else np.moveaxis(image, -1, 0), dtype=np.float32
    )
    if normalization.reads_zero_to_one:
        channels = channels / np.float32(largest_of_type(image.dtype))
    usable = usable_pixels(image, mask)
    if usable is mask:
        return channels, mask
    return np.where(np.isfinite(channels), channels, np.float32(0)), usable


def _refuse_beyond_float32(image: npt.NDArray[Any]) -> None:
    """Raise ImageError for numbers that the network's type cannot hold; they would become infinite."""
    if image.dtype.kind != "f" or image.dtype.itemsize <= np.dtype(np.float32).itemsize:
        return
    largest = float(np.abs(image[np.isfinite(image)]).max(initial=0))
    if largest > LARGEST_FLOAT32:
        raise ImageError(
            f"The image holds numbers of up to {largest:.3g}, and {LARGEST_FLOAT32:.3g} is the largest that a model "
            "reads. Divide the image by a constant."
        )


def with_channels(image: npt.NDArray[Any], channel_names: Sequence[str]) -> npt.NDArray[Any]:
    """Bring an image that shows the same in another number of channels to those of a model; any other is unchanged."""
    if image.ndim == 3 and image.shape[2] in (2, 4) and image.shape[2] != len(channel_names):
        alpha = image[..., -1]
        if (alpha == largest_of_type(image.dtype)).all():
            image = image[..., 0] if image.shape[2] == 2 else image[..., :3]
    if len(channel_names) == 1 and is_gray(image):
        return image[..., 0]
    if image.ndim == 2 and tuple(channel_names) == COLORS:
        return np.broadcast_to(image[..., np.newaxis], (*image.shape, len(COLORS)))
    return image


def is_gray(image: npt.NDArray[Any]) -> bool:
    """Return True for an image (Y, X, 3), or with alpha (Y, X, 4), whose red, green and blue are equal everywhere.

    IdentifyPrimaryObjects takes such an image as gray too.
    """
    return (
        image.ndim == 3
        and image.shape[2] in (3, 4)
        and all(np.array_equal(image[..., 0], image[..., color], equal_nan=True) for color in (1, 2))
    )


def largest_of_type(dtype: np.dtype[Any]) -> float:
    """Return the number of a file that CellProfiler turns into 1: 255 in 8 bits, 65535 in 16; 1 for other types.

    Signed types count as those without a sign, as they do there. Numbers of a floating-point type are left unchanged.
    """
    if not np.issubdtype(dtype, np.integer):
        return 1.0
    return float(np.iinfo(np.dtype(f"u{dtype.itemsize}")).max)


def usable_pixels(image: npt.NDArray[Any], mask: Optional[Mask] = None) -> Optional[Mask]:
    """Return the mask (Y, X) without the pixels of the image that are not finite; None if every pixel counts.

    It is `mask` itself if all values are finite.
    """
    finite: Mask = np.isfinite(image)
    if finite.all():
        return mask
    if finite.ndim == 3:
        finite = np.logical_and.reduce(finite, axis=2)
    return finite if mask is None else np.logical_and(finite, mask)


def brightness(image: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the mean of an image's channels, in its own units: (Y, X), float32; 0 where it is not finite.

    Outlines are drawn in it rather than in the normalized image. The latter is limited to `clip_high`, and in a field
    of few objects, which its percentiles do not see, all that is above may be an object with its edge.
    """
    plane = image.mean(axis=2, dtype=np.float32) if image.ndim == 3 else image.astype(np.float32)
    return plane if np.isfinite(plane.sum()) else np.nan_to_num(plane, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
