"""Wide blurs at the cost of narrow ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

# A plane is shrunk until the blur is this narrow there; less would show the steps.
NARROW_PX = 2.0


def wide_blur(planes: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Blur each plane by a Gaussian, nearly: a wide one is computed on shrunk planes.

    Parameters
    ----------
    planes : ndarray of shape (C, Y, X), float32
    sigma_px : float
        Standard deviation, pixels.

    Returns
    -------
    ndarray of shape (C, Y, X), float32
    """
    factor = min(int(sigma_px / NARROW_PX), *planes.shape[1:])
    if factor <= 1:
        narrow: NDArray[np.float32] = ndimage.gaussian_filter(planes, (0, sigma_px, sigma_px), truncate=3)
        return narrow
    shrunk = functional.avg_pool2d(torch.from_numpy(np.ascontiguousarray(planes)), factor, ceil_mode=True).numpy()
    sigma = sigma_px / factor
    return enlarged(ndimage.gaussian_filter(shrunk, (0, sigma, sigma), truncate=3), planes.shape[1:])


def enlarged(planes: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Enlarge planes (C, y, x) to a height and width, linearly."""
    tensor = torch.from_numpy(np.ascontiguousarray(planes))[np.newaxis]
    result: NDArray[np.float32] = functional.interpolate(tensor, size=shape, mode="bilinear")[0].numpy()
    return result
