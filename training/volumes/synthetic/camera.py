"""What a detector makes of light: photons, its own noise, and whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def recorded(light: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.unsignedinteger]:
    """Record a volume as a camera or a photomultiplier does.

    Parameters
    ----------
    light : ndarray of shape (Z, Y, X), float32
        1 for a typical nucleus in focus.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (Z, Y, X), uint16 or uint8
        Photons with Poisson noise, multiplied by a gain, with an offset and the noise of reading. In some volumes the
        noise was smoothed, as programs of microscopes do.
    """
    photons = np.exp(rng.uniform(np.log(4), np.log(200)))
    background = photons * np.exp(rng.uniform(np.log(0.005), np.log(0.4)))
    counted = rng.poisson(light * photons + background).astype(np.float32)
    counted += rng.normal(0, rng.uniform(0.1, 0.1 + 0.12 * np.sqrt(photons)), light.shape).astype(np.float32)
    if rng.random() < 0.3:
        smooth = rng.uniform(0.3, 0.8)
        counted = ndimage.gaussian_filter(counted, (smooth / 2, smooth, smooth))
    if rng.random() < 0.3:
        gain, offset, largest, dtype = (
            200 / max(1.0, float(np.percentile(counted, 99.9))),
            rng.uniform(0, 20),
            255,
            "u1",
        )
    else:
        gain, offset, largest, dtype = np.exp(rng.uniform(0, np.log(40))), rng.uniform(0, 500), 65535, "u2"
    return np.clip(np.round(counted * gain + offset), 0, largest).astype(dtype)
