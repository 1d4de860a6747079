"""Check an image against what a model takes, and find its usable pixels."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError

# A model whose input channels bear these names takes color images, and gray ones as colors that are all alike.
COLORS = ("red", "green", "blue")


def prepare_image(
    image: npt.NDArray[Any], channel_names: Sequence[str], mask: Optional[npt.NDArray[np.bool_]] = None
) -> Tuple[npt.NDArray[np.float32], Optional[npt.NDArray[np.bool_]]]:
    """Check an image against what the model takes, and put its channels first.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    channel_names : sequence of str
        From the model card. A model of red, green and blue takes a gray image too.
    mask : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    channels : ndarray of shape (C, Y, X), float32
        Pixels that are not finite are 0.
    usable : ndarray of shape (Y, X), bool, or None
        None if every pixel counts.

    Raises
    ------
    ValueError
        If the shape or type does not fit.
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
            "3D?' in NamesAndTypes; in Python: cpunet.steps.planes.segment_stack)."
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


def usable_pixels(
    image: npt.NDArray[Any], mask: Optional[npt.NDArray[np.bool_]] = None
) -> Optional[npt.NDArray[np.bool_]]:
    """Return the mask without the pixels that are not finite; None if every pixel counts.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    mask : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    ndarray of shape (Y, X), bool, or None
        `mask` itself if all values are finite.
    """
    finite: npt.NDArray[np.bool_] = np.isfinite(image)
    if finite.all():
        return mask
    if finite.ndim == 3:
        finite = np.logical_and.reduce(finite, axis=2)
    return finite if mask is None else np.logical_and(finite, mask)


def has_contrast(channels: npt.NDArray[np.float32], usable: Optional[npt.NDArray[np.bool_]]) -> bool:
    """Return whether any channel holds two different values among its usable pixels."""
    planes = channels.reshape(len(channels), -1) if usable is None else channels[:, usable]
    return planes.shape[1] > 0 and bool((planes.min(axis=1) < planes.max(axis=1)).any())
