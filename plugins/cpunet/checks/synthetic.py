"""Make synthetic fields of nuclei with known truth, for the doctor, the tests and the benchmarks."""

from __future__ import annotations

from typing import NamedTuple, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cpunet.checks.synthetic_volume import synthetic_volume
from cpunet.model.axes import least_sizes
from cpunet.model.card import VOLUMES, InputCard, Normalization
from cpunet.steps.prepare import normalize

SMALLEST_SIDE_PX = 64
# Of the test that a model of volumes carries: half a megabyte with three roles.
SMALLEST_PLANES_OF_VOLUME, SMALLEST_SIDE_OF_VOLUME_PX = 8, 48


class SyntheticField(NamedTuple):
    """An image, float32 in 0..1 with blur, uneven nuclei and noise, and its labels, int32 in 1..n; both (Y, X)."""

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
        Draw pairs of nuclei that touch and must be split.
    seed : int
    """
    rng = np.random.default_rng(seed)
    spacing = shape[1] / columns
    rows = shape[0] * columns // shape[1]
    labels = np.zeros(shape, np.int32)
    brightness = np.zeros(shape)
    count = 0
    for row in range(rows):
        for column in range(columns):
            center = (np.array([row, column]) + 0.5) * spacing + rng.uniform(-0.08, 0.08, 2) * spacing
            for shift in (-0.46 * diameter_px, 0.46 * diameter_px) if touching else (0.0,):
                radii = diameter_px / 2 * rng.uniform(0.85, 1.15, 2)
                y, x = np.ogrid[_around(center[0], radii[0], shape[0]), _around(center[1] + shift, radii[1], shape[1])]
                away = ((y - center[0]) / radii[0]) ** 2 + ((x - center[1] - shift) / radii[1]) ** 2
                inside = (away < 1) & (labels[y, x] == 0)
                count += bool(inside.any())
                labels[y, x] = np.where(inside, count, labels[y, x])
                bright = rng.uniform(0.45, 0.9) * (1 - 0.35 * away)
                brightness[y, x] = np.where(inside, bright, brightness[y, x])
    texture = 1 + 0.15 * ndimage.gaussian_filter(rng.standard_normal(shape), 2) * 4
    blurred = ndimage.gaussian_filter(brightness * texture, 1.2)
    noisy = 0.04 + blurred + rng.normal(0, 0.012, shape)
    return SyntheticField(np.clip(noisy, 0, 1).astype(np.float32), labels)


def _around(center: float, radius: float, size: int) -> slice:
    """Return the pixels of an axis that an ellipse may cover."""
    return slice(max(0, int(center - radius)), min(size, int(center + radius) + 2))


def synthetic_input(given: InputCard) -> npt.NDArray[np.float32]:
    """Make the input of a stored test, float32: synthetic nuclei, normalized for the model.

    Each channel is another field of nuclei of the trained diameter, some of which touch. Values are rounded to 1/4096,
    so that the same card gives the same bytes on any machine.

    Returns
    -------
    ndarray of shape (1, C, Y, X), or (1, C, Z, Y, X) for a model of volumes
    """
    fields = _touching_volumes(given) if given.dimensions == VOLUMES else _touching_fields(given)
    return (np.round(normalize_together(fields, given.normalization) * 4096) / 4096).astype(np.float32)[np.newaxis]


def normalize_together(image: npt.NDArray[np.float32], normalization: Normalization) -> npt.NDArray[np.float32]:
    """Normalize (C, Y, X), or all planes of (C, Z, Y, X) together, as `cpunet.steps.prepare.normalize` does."""
    rows = image.reshape(len(image), -1, image.shape[-1])  # of a volume, plane below plane
    return normalize(rows, normalization).reshape(image.shape)


def _touching_fields(given: InputCard) -> npt.NDArray[np.float32]:
    unit = given.divisible_by
    height, width = given.tile_shape or [-(-max(SMALLEST_SIDE_PX, given.min_size) // unit) * unit] * 2
    columns = max(1, int(width / (2 * given.diameter_px)))
    largest = min(height, width) / 3
    return np.stack(
        [
            synthetic_field((height, width), columns, min(given.diameter_px, largest), touching=True, seed=seed).image
            for seed in range(len(given.channels))
        ]
    )


def _touching_volumes(given: InputCard) -> npt.NDArray[np.float32]:
    assert given.z_step_px is not None  # the card of a model of volumes has one
    shape = least_sizes(given, SMALLEST_PLANES_OF_VOLUME, SMALLEST_SIDE_OF_VOLUME_PX)
    diameter_px = min(given.diameter_px, shape[1] / 3)
    return np.stack(
        [
            synthetic_volume(shape, diameter_px, given.z_step_px, touching=True, seed=seed).image
            for seed in range(len(given.channels))
        ]
    )
