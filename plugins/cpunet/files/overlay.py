"""Pictures of results: an image with the outlines of its objects."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
import numpy.typing as npt
from skimage.segmentation import find_boundaries

from cpunet.steps.prepare import contrast_limits

Color = Tuple[int, int, int]
YELLOW: Color = (255, 215, 0)


def gray_picture(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Stretch the contrast of an image (Y, X) or (Y, X, C), averaged over its channels, to (Y, X, 3), uint8."""
    plane = np.asarray(image, np.float32)
    if plane.ndim == 3:
        plane = plane.mean(axis=2)
    gray = (_stretched(plane) ** 0.7 * 255).astype(np.uint8)
    return np.repeat(gray[..., np.newaxis], 3, axis=2)


def picture(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Show an image as it is: three channels as red, green and blue, anything else as `gray_picture`.

    All colors of (Y, X, 3) are stretched between the same two intensities, so that white stays white.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        return gray_picture(image)
    return (_stretched(np.asarray(image, np.float32)) * 255).astype(np.uint8)


def _stretched(values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Bring nearly all values to 0..1; those that are not finite become 0."""
    finite = np.isfinite(values)
    low, high = contrast_limits(values, 0.5, 99.8, finite)
    return np.clip(np.where(finite, (values - low) / (high - low or 1.0), 0), 0, 1)


def draw_outlines(
    picture: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], color: Color = YELLOW
) -> npt.NDArray[np.uint8]:
    """Draw the outline of each object on the object's own outermost pixels.

    Parameters
    ----------
    picture : ndarray of shape (Y, X, 3), uint8
        Not changed.
    labels : ndarray of shape (Y, X), integer
        0 is background.
    color : tuple of int
        Red, green and blue, 0..255; yellow by default.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
    """
    outlined = picture.copy()
    outlined[find_boundaries(labels, mode="inner")] = color
    return outlined
