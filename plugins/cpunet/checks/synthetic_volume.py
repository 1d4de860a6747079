"""Make synthetic volumes of nuclei with known truth, for the checks of models of volumes."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# Between the middles of two nuclei, in diameters.
SPACING = 1.8
BLUR_PX = 1.2
# Along z, a microscope blurs by so many times as much.
BLUR_Z = 2.0


class SyntheticVolume(NamedTuple):
    """An image, float32 in 0..1 with blur, uneven nuclei and noise, and its labels, int32 in 1..n; both (Z, Y, X)."""

    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]


def synthetic_volume(
    shape: Sequence[int], diameter_px: float, z_step_px: float, touching: bool = False, seed: int = 0
) -> SyntheticVolume:
    """Draw nuclei on a jittered grid.

    Parameters
    ----------
    shape : sequence of int
        Planes, height and width.
    diameter_px : float
        Mean diameter, widths of a pixel; each nucleus is an ellipsoid of up to 15 % more or less.
    z_step_px : float
        Distance of two planes, widths of a pixel.
    touching : bool
        Draw pairs of nuclei that touch and must be split.
    seed : int
    """
    rng = np.random.default_rng(seed)
    spacing = np.array([1 / z_step_px, 1.0, 1.0])  # of a plane and of pixels, for one width of a pixel
    room = SPACING * diameter_px * spacing * np.array([1, 1, 1 + touching])
    counts = np.maximum(1, np.asarray(shape) / room).astype(int)
    distances = np.asarray(shape) / counts
    labels = np.zeros(tuple(shape), np.int32)
    brightness = np.zeros(labels.shape)
    shifts = (-0.46, 0.46) if touching else (0.0,)
    count = 0
    for place in np.ndindex(*counts):
        center = (np.array(place) + 0.5 + rng.uniform(-0.08, 0.08, 3)) * distances
        for shift in shifts:
            middle = center + np.array([0.0, 0.0, shift * diameter_px])
            radii = diameter_px / 2 * rng.uniform(0.85, 1.15, 3) * spacing
            around = tuple(_around(*each) for each in zip(middle, radii, labels.shape))
            away = sum(((grid - at) / radius) ** 2 for grid, at, radius in zip(np.ogrid[around], middle, radii))
            inside = (away < 1) & (labels[around] == 0)
            count += bool(inside.any())
            labels[around] = np.where(inside, count, labels[around])
            brightness[around] = np.where(inside, rng.uniform(0.45, 0.9) * (1 - 0.35 * away), brightness[around])
    blur = BLUR_PX * spacing * np.array([BLUR_Z, 1.0, 1.0])
    texture = 1 + 0.6 * ndimage.gaussian_filter(rng.standard_normal(labels.shape), 2 * spacing)
    noisy = 0.04 + ndimage.gaussian_filter(brightness * texture, blur) + rng.normal(0, 0.012, labels.shape)
    return SyntheticVolume(np.clip(noisy, 0, 1).astype(np.float32), labels)


def _around(center: float, radius: float, size: int) -> slice:
    """Return the places of an axis that an ellipsoid may cover."""
    start = min(max(0, int(center - radius)), size)
    return slice(start, max(start, min(size, int(center + radius) + 2)))
