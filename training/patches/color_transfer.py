"""Give a stained image the colors of another one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpunet.training.patches.patch import Patch
from cpunet.training.patches.stain import density_of, is_stained, through_density

# Amount of stain, yellow against blue, red against green: directions in which colors of images hardly depend on each
# other.
AXES = np.array(((1, 1, 1), (1, 1, -2), (1, -1, 0)), np.float32)
AXES /= np.linalg.norm(AXES, axis=1, keepdims=True)
SAMPLED_PIXELS = 20_000
# An image of nearly one color has next to no spread, and its noise would become colors.
LARGEST_STRETCH = 3.0
SMALLEST_SPREAD = 1e-3


@dataclass(frozen=True)
class ColorStatistics:
    """Mean and spread of the colors of an image.

    Attributes
    ----------
    means, spreads : ndarray of shape (3,), float32
        Mean and standard deviation of the optical density along `AXES`.
    """

    means: NDArray[np.float32]
    spreads: NDArray[np.float32]


def color_statistics(image: NDArray[np.float32]) -> ColorStatistics:
    """Measure the colors of an image on some 20,000 of its pixels, which lie in a grid.

    Parameters
    ----------
    image : ndarray of shape (3, Y, X), float32
        Normalized, on a bright background.
    """
    step = max(1, int(np.sqrt(image[0].size / SAMPLED_PIXELS)))
    along = AXES @ density_of(image[:, ::step, ::step]).reshape(3, -1)
    return ColorStatistics(along.mean(axis=1), along.std(axis=1))


def with_colors_of(image: NDArray[np.float32], own: ColorStatistics, other: ColorStatistics) -> NDArray[np.float32]:
    """Move and stretch the colors of an image so that it has the statistics of another.

    Parameters
    ----------
    image : ndarray of shape (3, Y, X), float32
        Normalized, on a bright background; an image or a part of one.
    own : ColorStatistics
        Of the whole image.
    other : ColorStatistics

    Returns
    -------
    ndarray of shape (3, Y, X), float32
        Nothing is brighter than the background: densities are 0 or more.

    Notes
    -----
    Reinhard et al.: Color transfer between images, IEEE CG&A 2001, doi:10.1109/38.946629; there along axes in the
    logarithm of what the cones of an eye see, here in that of the light that stains let through.
    """
    stretch = np.clip(other.spreads / np.maximum(own.spreads, SMALLEST_SPREAD), 1 / LARGEST_STRETCH, LARGEST_STRETCH)
    along = np.tensordot(AXES, density_of(image), axes=1) - own.means[:, np.newaxis, np.newaxis]
    along = along * stretch[:, np.newaxis, np.newaxis] + other.means[:, np.newaxis, np.newaxis]
    return through_density(np.maximum(np.tensordot(AXES.T, along, axes=1), 0))


def colors_of_stained(images: Iterable[Patch]) -> list[ColorStatistics]:
    """Measure the colors of those images that are stained."""
    return [color_statistics(image.image) for image in images if is_stained(image.image)]
