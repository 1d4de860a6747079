"""What a camera makes of light: levels of a field, noise, the range of its numbers, and the files that are saved."""

import io
from typing import NamedTuple, Optional, Tuple

import numpy as np
import PIL.Image
from scipy import ndimage

from cpunet.steps.diameter import typical_diameter

Field = Tuple[np.ndarray, np.ndarray]
WHITE = 4095  # 12 bits
# Of a scientific camera: gray levels an electron, and the noise of reading a pixel, in gray levels.
GRAY_PER_ELECTRON, READ_NOISE = 0.5, 3.0
RIM_PX = 4


class Levels(NamedTuple):
    """What the sizes and intensities of a degradation are relative to.

    Attributes
    ----------
    dark : float
        What the camera gives without light, gray levels: the lowest of the image.
    background : float
        Median of what is no nucleus.
    background_noise : float
        Standard deviation there, from the median absolute deviation.
    contrast : float
        Median of the nuclei above the background.
    diameter_px : float
        Typical diameter of the nuclei.
    """

    dark: float
    background: float
    background_noise: float
    contrast: float
    diameter_px: float


def levels_of(image: np.ndarray, labels: np.ndarray) -> Levels:
    """Measure a field with at least one nucleus."""
    outside = image[~ndimage.binary_dilation(labels > 0, iterations=RIM_PX)]
    if not outside.size:
        outside = image[image <= np.percentile(image, 5)]
    background = float(np.median(outside))
    noise = 1.4826 * float(np.median(np.abs(outside - background)))
    contrast = float(np.median(image[labels > 0])) - background
    return Levels(float(image.min()), background, noise, max(contrast, 1.0), typical_diameter(labels))


def photographed(light: np.ndarray, rng: np.random.Generator, fresh: Optional[np.ndarray] = None) -> np.ndarray:
    """Turn light into the numbers of a camera of 12 bits: (Y, X), uint16, 0..4095.

    Parameters
    ----------
    light : ndarray of shape (Y, X), float
        Gray levels.
    rng : Generator
    fresh : ndarray of shape (Y, X), float, optional
        That part of the light, in gray levels, which has no noise yet. It gets shot noise and read noise. None: the
        light has its noise already.
    """
    if fresh is not None:
        spread = np.sqrt(GRAY_PER_ELECTRON * np.maximum(fresh, 0) + READ_NOISE**2)
        light = light + rng.standard_normal(light.shape) * spread
    return np.clip(np.rint(light), 0, WHITE).astype(np.uint16)


def low_light(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, electrons: float) -> Field:
    """Expose so briefly that a nucleus has few electrons a pixel: Poisson noise, read noise of 1.6 e-, hot pixels."""
    levels = levels_of(image, labels)
    signal = np.maximum(image - levels.dark, 0) / levels.contrast * electrons
    counted = rng.poisson(signal) + rng.normal(0, 1.6, image.shape)
    counted[rng.random(image.shape) < 5e-5] += 15 * electrons
    return photographed(100 + counted * 600 / electrons, rng), labels


def saturated(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, times: float) -> Field:
    """Expose too long: the typical nucleus would be this many times as bright as the camera's white."""
    levels = levels_of(image, labels)
    gain = times * (WHITE - levels.dark) / levels.contrast
    # A longer exposure has less noise relative to its light than the image that stands in for it.
    smooth = ndimage.gaussian_filter(image.astype(float), 0.7)
    light = (smooth - levels.dark) * gain
    return photographed(levels.dark + light, rng, light), labels


def few_gray_levels(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, count: float) -> Field:
    """Save as 8 bits by dividing: a typical nucleus is this many gray levels brighter than the background (uint8)."""
    step = levels_of(image, labels).contrast / count
    return np.clip(image // step, 0, 255).astype(np.uint8), labels


def jpeg(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, quality: int) -> Field:
    """Save as a program for pictures does: contrast stretched to 8 bits, then JPEG (uint8)."""
    low, high = np.percentile(image, [0.1, 99.9])
    stretched = np.clip((image - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    content = io.BytesIO()
    PIL.Image.fromarray(stretched).save(content, "JPEG", quality=quality)
    return np.array(PIL.Image.open(content)), labels
