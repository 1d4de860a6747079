"""What real fields hold beside nuclei: cytoplasm, debris, fibers, haze, steps of the background, spots in nuclei."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.training.patches.blur import enlarged, wide_blur
from cpunet.training.patches.patch import Patch

# Where a patch holds no object.
DEFAULT_DIAMETER_PX = 27.0
MOST_DEBRIS, MOST_FIBERS = 8, 3
# Debris is so much brighter than the nuclei that it cannot be mistaken for one of them.
DEBRIS_BRIGHTNESS = (2.0, 8.0)
# Normalization cuts off here; see `cpunet.model.card.Normalization.clip_high`.
BRIGHTEST = 8.0


def typical_brightness(patch: Patch) -> float:
    """Return the median brightness of the objects, or 0.5 where there is none."""
    inside = patch.image.mean(axis=0)[patch.labels > 0]
    return max(0.1, float(np.median(inside))) if inside.size else 0.5


def median_diameter_px(labels: NDArray[np.integer]) -> float:
    """Return the median diameter of the objects, of discs of the same area."""
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas > 0]
    return float(2 * np.sqrt(np.median(areas) / np.pi)) if areas.size else DEFAULT_DIAMETER_PX


def with_spots(patch: Patch, rng: np.random.Generator) -> NDArray[np.float32]:
    """Put bright spots, such as chromocenters, into the nuclei.

    Parameters
    ----------
    patch : Patch
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (C, Y, X), float32
    """
    diameter = median_diameter_px(patch.labels)
    sigma = diameter * rng.uniform(0.03, 0.08)
    chance = rng.uniform(3, 14) / (np.pi * diameter**2 / 4)
    seeds = (patch.labels > 0) & (rng.random(patch.labels.shape) < chance)
    heights = seeds * rng.uniform(0.3, 1, seeds.shape).astype(np.float32)
    spots = ndimage.gaussian_filter(heights, sigma) * np.float32(2 * np.pi * max(sigma, 0.4) ** 2)
    strength = typical_brightness(patch) * rng.uniform(0.4, 2.0)
    return patch.image + np.float32(strength) * (spots * (patch.labels > 0))[np.newaxis]


def with_debris(patch: Patch, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add bright pieces that are no nuclei: dust, dead cells, precipitate. Returns (C, Y, X), float32."""
    diameter, brightness = median_diameter_px(patch.labels), typical_brightness(patch)
    debris = np.zeros(patch.labels.shape, np.float32)
    for _ in range(rng.integers(1, MOST_DEBRIS + 1)):
        sigma = diameter * float(np.exp(rng.uniform(np.log(0.04), np.log(0.35))))
        debris += _blot(debris.shape, sigma, rng) * np.float32(brightness * rng.uniform(*DEBRIS_BRIGHTNESS))
    return patch.image + debris[np.newaxis]


def _blot(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return an uneven elliptic blob of height 1 at a random place, float32 (Y, X)."""
    y, x = (np.arange(size, dtype=np.float32) - rng.uniform(0, size) for size in shape)
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
    along = np.cos(angle) * y[:, np.newaxis] + np.sin(angle) * x
    across = np.cos(angle) * x - np.sin(angle) * y[:, np.newaxis]
    squares = (along / sigma) ** 2 + (across / (ratio * sigma)) ** 2
    # A sharper edge than a Gaussian's: debris is a thing, not a glow.
    return np.exp(-0.5 * squares ** rng.uniform(1, 3)).astype(np.float32)


def with_fibers(patch: Patch, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add bent bright lines that are no nuclei: lint, autofluorescent fibers. Returns (C, Y, X), float32."""
    size = np.array(patch.labels.shape)
    brightness = typical_brightness(patch)
    fibers = np.zeros(patch.labels.shape, np.float32)
    for _ in range(rng.integers(1, MOST_FIBERS + 1)):
        start, bend, end = (rng.uniform(-0.2, 1.2, 2) * size for _ in range(3))
        t = np.linspace(0, 1, 4 * int(size.max()))[:, np.newaxis]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end  # a quadratic Bezier curve
        y, x = np.rint(curve).astype(int).T
        inside = (y >= 0) & (x >= 0) & (y < size[0]) & (x < size[1])
        line = np.zeros_like(fibers)
        line[y[inside], x[inside]] = 1
        wide = ndimage.gaussian_filter(line, rng.uniform(0.7, 5))
        if wide.max() > 0:
            fibers += wide * np.float32(brightness * rng.uniform(0.2, 1.8) / wide.max())
    return patch.image + fibers[np.newaxis]


def with_cytoplasm(patch: Patch, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add the faint glow of whole cells around their nuclei, each with an edge of its own.

    Parameters
    ----------
    patch : Patch
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (C, Y, X), float32
        The patch's own image if it holds no object.

    Notes
    -----
    A cell is what lies nearer to its nucleus than to any other, and within a distance that a smooth random field
    changes. Its light is added to that of the nucleus.
    """
    count = int(patch.labels.max(initial=0))
    if not count:
        return patch.image
    diameter = median_diameter_px(patch.labels)
    stretch = np.exp(rng.uniform(-0.5, 0.5, 2))
    away, nearest = ndimage.distance_transform_edt(patch.labels == 0, sampling=stretch, return_indices=True)
    cell = patch.labels[tuple(nearest)]
    size = patch.labels.shape
    coarse = rng.normal(0, 1, (1, *(int(np.ceil(side / (0.6 * diameter))) + 2 for side in size))).astype(np.float32)
    away = away + enlarged(coarse, size)[0] * diameter * rng.uniform(0.05, 0.35)
    reach = diameter * rng.uniform(0.3, 1.6) * np.exp(rng.normal(0, 0.3, count + 1))
    level = rng.uniform(0.05, 0.6) * np.exp(rng.normal(0, 0.4, count + 1))
    edge = 1 / (1 + np.exp(np.clip((away - reach[cell]) / (diameter * rng.uniform(0.02, 0.15)), -30, 30)))
    fading = 1 - rng.uniform(0, 0.8) * np.clip(away / reach[cell], 0, 1)
    glow = (level[cell] * edge * fading * typical_brightness(patch)).astype(np.float32)
    if rng.random() < 0.5:
        glow *= 1 + rng.uniform(0, 0.3) * rng.standard_normal(size).astype(np.float32)
    return patch.image + glow[np.newaxis]


def with_haze(patch: Patch, strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add a smooth glow, as of cytoplasm and of nuclei out of focus, and sometimes a step of the background.

    Parameters
    ----------
    patch : Patch
    strength : float
        Largest height of the glow, in parts of the nuclei's brightness.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (C, Y, X), float32
        What is added is 0 somewhere: normalization takes an even glow away.
    """
    diameter, brightness = median_diameter_px(patch.labels), typical_brightness(patch)
    if rng.random() < 0.5:
        # Around the cells that are there.
        glow = wide_blur((patch.labels > 0).astype(np.float32)[np.newaxis], diameter * rng.uniform(0.3, 1.2))[0]
    else:
        coarse = rng.random((1, *[int(rng.integers(2, 9))] * 2)).astype(np.float32)
        glow = enlarged(coarse, patch.labels.shape)[0]
    glow = (glow - glow.min()) / max(1e-6, float(np.ptp(glow)))
    if rng.random() < 0.25:
        y, x = (np.linspace(-1, 1, size)[:, np.newaxis] for size in patch.labels.shape)
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.7)
        glow = glow + (np.cos(angle) * y + np.sin(angle) * x.T > offset) * rng.uniform(0.2, 1)
    return patch.image + (glow * brightness * rng.uniform(0, strength)).astype(np.float32)[np.newaxis]


def beside_black(patch: Patch, rng: np.random.Generator) -> Patch:
    """Blacken one side of a patch, as a stitched mosaic or a rotated frame does; nothing is labeled there.

    Black surroundings also take part of the contrast: what was background before lies well above 0 then.
    """
    y, x = (np.linspace(-1, 1, size)[:, np.newaxis] for size in patch.labels.shape)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.9)
    black = np.cos(angle) * y + np.sin(angle) * x.T > offset
    background = np.float32(rng.uniform(0, 0.7))
    lifted = background + (1 - background) * patch.image
    return Patch(np.where(black, np.float32(0), lifted), np.where(black, 0, patch.labels).astype(np.int32))


def overexposed(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Make (C, Y, X) look like a nearly empty field.

    There the noise of the background fills the range from 0 to 1, and nuclei lie far above it.
    """
    noisy = image * np.float32(rng.uniform(3, 12)) + rng.normal(0.4, rng.uniform(0.1, 0.3), image.shape)
    return np.clip(noisy, -1, BRIGHTEST).astype(np.float32)
