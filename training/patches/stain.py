"""Colors of stained tissue: other strengths and mixtures, fluorescence as stain, and stain as fluorescence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Optical densities of hematoxylin and eosin in red, green and blue: Ruifrok, Johnston 2001, Anal Quant Cytol Histol 23.
HEMATOXYLIN, EOSIN = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11)
DARKEST = 0.02
# How much one channel takes of another's density, in parts of the jitter.
MIXING = 0.3
PERCENTILES = (1, 99.8)


def is_stained(image: NDArray[np.float32]) -> bool:
    """Return True if (C, Y, X), normalized, is a color image on a bright background."""
    return len(image) == 3 and bool(np.median(image) > 0.5)


def jitter_stain(image: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Change the strength of each channel's stain, and mix the channels.

    Parameters
    ----------
    image : ndarray of shape (3, Y, X), float32
        Normalized, on a bright background.
    strength : float
        Largest relative change of an optical density, 0 to below 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (3, Y, X), float32

    Notes
    -----
    Stains add up in optical density, the logarithm of what light they let through. Changing colors there: Tellez et
    al. 2018, doi:10.1109/TMI.2018.2820199.
    """
    density = density_of(image)
    mixture = np.diag(1 + rng.uniform(-strength, strength, 3))
    mixture += MIXING * rng.uniform(-strength, strength, (3, 3)) * (1 - np.eye(3))
    mixed = np.tensordot(mixture.astype(np.float32), density, axes=1)
    return through_density(mixed)


def density_of(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the optical density of each pixel of a normalized image on a bright background."""
    density: NDArray[np.float32] = -np.log(np.clip(image, DARKEST, None))
    return density


def through_density(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the light that an optical density lets through, float32; the inverse of `density_of`."""
    image: NDArray[np.float32] = np.exp(-density).astype(np.float32)
    return image


def as_fluorescence(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make a stained image gray, and exchange dark and bright.

    Parameters
    ----------
    image : ndarray of shape (3, Y, X), float32
        Normalized, on a bright background.

    Returns
    -------
    ndarray of shape (3, Y, X), float32
        Three equal channels, in which stained nuclei are bright on a dark background.
    """
    return np.repeat(1 - image.mean(axis=0, keepdims=True), len(image), axis=0)


def recolor_as_stain(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Turn fluorescent nuclei into stained ones: dark, bluish, in a pink tissue of uneven density.

    Parameters
    ----------
    image : ndarray of shape (3, Y, X), float32
        Normalized fluorescence, bright on dark.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (3, Y, X), float32
        Each channel from 0 to 1 at the percentiles that normalization uses.
    """
    nuclei = np.clip(image.mean(axis=0), 0, 1.5)
    tissue = sum(
        weight * ndimage.gaussian_filter(rng.random(nuclei.shape), sigma) / (0.3 / max(1.0, 3.5 * sigma))
        for sigma, weight in ((0.7, rng.uniform(0, 0.3)), (3.0, rng.uniform(0, 0.3)), (14.0, rng.uniform(0, 0.4)))
    )
    tissue = np.clip(tissue - np.min(tissue), 0, None) * rng.uniform(0.1, 0.6)
    stains = np.array([HEMATOXYLIN, EOSIN]) * (1 + rng.uniform(-0.3, 0.3, (2, 3)))
    amounts = np.stack([nuclei * rng.uniform(0.6, 2.2), tissue])
    through = np.exp(-np.tensordot(stains.T, amounts, axes=1))
    low, high = np.percentile(through, PERCENTILES, axis=(1, 2), keepdims=True)
    recolored: NDArray[np.float32] = ((through - low) / np.maximum(high - low, 1e-3)).astype(np.float32)
    return recolored
