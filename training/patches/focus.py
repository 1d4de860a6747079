"""A microscope that was focused on another plane."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.patches.disturbances import median_diameter_px
from cpunet.training.patches.patch import Patch

# The radius of the disc that a point becomes, in parts of the nuclei's diameter.
RADIUS = (0.05, 0.25)
# What the brightest pixels are measured by; the very brightest may be one hot pixel.
BRIGHT_PERCENTILE = 99.5


def out_of_focus(patch: Patch, rng: np.random.Generator) -> NDArray[np.float32]:
    """Spread the light of each point over a disc, and stretch the contrast again, as normalization would.

    Parameters
    ----------
    patch : Patch
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (C, Y, X), float32

    Notes
    -----
    Geometrical optics: far from focus the image of a point is an evenly bright disc, since the aperture is round.
    """
    labels = without_ignored(patch.labels)
    radius = float(rng.uniform(*RADIUS)) * median_diameter_px(labels)
    blurred = spread_over_disc(patch.image, min(radius, *(0.49 * side for side in patch.image.shape[1:])))
    if not labels.any():
        return blurred  # noise is no contrast that anyone stretches
    before, after = (np.percentile(image, BRIGHT_PERCENTILE) for image in (patch.image, blurred))
    return blurred * np.float32(before / after) if min(before, after) > 0 else blurred


def spread_over_disc(planes: NDArray[np.float32], radius_px: float) -> NDArray[np.float32]:
    """Spread each pixel of planes (C, Y, X) over a disc with a rim one pixel wide; borders are mirrored."""
    reach = int(np.ceil(radius_px))
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius_px + 0.5 - np.hypot(y, x), 0, 1).astype(np.float32)
    kernel = torch.from_numpy(disc / disc.sum())[np.newaxis, np.newaxis]
    padded = functional.pad(torch.from_numpy(np.ascontiguousarray(planes))[:, np.newaxis], [reach] * 4, mode="reflect")
    spread: NDArray[np.float32] = functional.conv2d(padded, kernel)[:, 0].numpy()
    return spread
