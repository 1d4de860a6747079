"""Draw fields of nuclei whose truth is known: for the doctor, the tests and the benchmarks."""

from __future__ import annotations

from typing import NamedTuple, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage


class SyntheticField(NamedTuple):
    """An image and its truth.

    Attributes
    ----------
    image : ndarray of shape (Y, X), float32
        0..1, blurred, with uneven nuclei and noise.
    labels : ndarray of shape (Y, X), int32
        1..n.
    """

    image: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]


def synthetic_field(
    shape: Tuple[int, int] = (512, 512),
    columns: int = 5,
    diameter_px: float = 30.0,
    touching: bool = False,
    seed: int = 0,
) -> SyntheticField:
    """Draw nuclei on a jittered grid.

    Parameters
    ----------
    shape : tuple of int
        Height and width, pixels.
    columns : int
        Nuclei along the width; as many rows as keep the grid square.
    diameter_px : float
        Mean diameter; each nucleus is an ellipse of up to 15 % more or less.
    touching : bool
        Draw a second nucleus against each, to its right: pairs that must be split.
    seed : int
        Of all that is random.

    Returns
    -------
    SyntheticField
    """
    rng = np.random.default_rng(seed)
    spacing = shape[1] / columns
    rows = shape[0] * columns // shape[1]
    labels = np.zeros(shape, np.int32)
    brightness = np.zeros(shape)
    count = 0
    for row in range(rows):
        for column in range(columns):
            middle = (np.array([row, column]) + 0.5) * spacing + rng.uniform(-0.08, 0.08, 2) * spacing
            for shift in (-0.46 * diameter_px, 0.46 * diameter_px) if touching else (0.0,):
                radii = diameter_px / 2 * rng.uniform(0.85, 1.15, 2)
                y, x = np.ogrid[_around(middle[0], radii[0], shape[0]), _around(middle[1] + shift, radii[1], shape[1])]
                away = ((y - middle[0]) / radii[0]) ** 2 + ((x - middle[1] - shift) / radii[1]) ** 2
                inside = (away < 1) & (labels[y, x] == 0)
                count += bool(inside.any())
                labels[y, x] = np.where(inside, count, labels[y, x])
                bright = rng.uniform(0.45, 0.9) * (1 - 0.35 * away)
                brightness[y, x] = np.where(inside, bright, brightness[y, x])
    texture = 1 + 0.15 * ndimage.gaussian_filter(rng.standard_normal(shape), 2) * 4
    blurred = ndimage.gaussian_filter(brightness * texture, 1.2)
    noisy = 0.04 + blurred + rng.normal(0, 0.012, shape)
    return SyntheticField(np.clip(noisy, 0, 1).astype(np.float32), labels)


def _around(middle: float, radius: float, size: int) -> slice:
    """Return the pixels of an axis that an ellipse may cover."""
    return slice(max(0, int(middle - radius)), min(size, int(middle + radius) + 2))
