"""The adaptive threshold of CellProfiler: Otsu's in small windows, blended into each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from skimage.filters import threshold_otsu

from cpunet.errors import DataError

# A window's threshold is kept within these multiples of that of the whole image, as windows without nuclei need it.
LOWEST_SHARE, HIGHEST_SHARE = 0.7, 1.5


def adaptive_otsu(image: NDArray[np.float32], window_px: int, bounds: tuple[float, float]) -> NDArray[np.float64]:
    """Return a threshold for each pixel, as IdentifyPrimaryObjects finds it.

    Parameters
    ----------
    image : ndarray of shape (Y, X), float32
        0..1.
    window_px : int
        Side of a window, pixels.
    bounds : tuple of float
        The lowest and the highest threshold, 0..1.

    Returns
    -------
    ndarray of shape (Y, X), float64

    Raises
    ------
    DataError
        If less than two windows fit into the height or the width.

    Notes
    -----
    1. Otsu's threshold with two classes is found in each window, and in the whole image.
    2. A cubic spline through the middles of the windows gives each pixel a threshold.
    3. It is kept within 0.7 to 1.5 times that of the whole image, and within the bounds.

    Source: CellProfiler 4.2.8, modules/threshold.py, ``_get_adaptive_threshold`` and ``_correct_local_threshold``.
    """
    shape = np.array(image.shape)
    windows = shape // window_px
    if windows.min() < 2:
        raise DataError(
            f"The threshold's window of {window_px} px is too large for an image of {shape[0]} x {shape[1]} pixels; "
            "half of a side is the most. Choose a smaller one with --threshold-window."
        )
    size = shape / windows
    edges = [(np.arange(count + 1) * side).astype(int) for count, side in zip(windows, size, strict=True)]
    found = np.array(
        [
            [_otsu(image[top:bottom, left:right]) for left, right in zip(edges[1], edges[1][1:], strict=False)]
            for top, bottom in zip(edges[0], edges[0][1:], strict=False)
        ]
    )
    middles = [
        np.linspace(int(side / 2), int((count - 0.5) * side), count) for count, side in zip(windows, size, strict=True)
    ]
    order = int(min(3, windows.min() - 1))
    frame = (0.5, shape[0] - 0.5, 0.5, shape[1] - 0.5)
    spline = RectBivariateSpline(*middles, found, bbox=frame, kx=order, ky=order)
    threshold = spline(*(np.linspace(0.5, length - 0.5, length) for length in shape))
    whole = min(max(_otsu(image), bounds[0]), bounds[1])
    return np.clip(threshold, max(bounds[0], LOWEST_SHARE * whole), min(bounds[1], HIGHEST_SHARE * whole))


def _otsu(part: NDArray[np.float32]) -> float:
    return float(part.flat[0]) if part.min() == part.max() else float(threshold_otsu(part))
