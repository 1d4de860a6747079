"""Draw what phase contrast shows of labeled nuclei and the cells around them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from benchmarks.stress.optics import blurred
from benchmarks.stress.specimen import smooth_noise
from cpunet.steps.diameter import typical_diameter

GRAY = 128.0
# Such shading looks like a shift of dark things by EDGE_SHADING * 8 / 0.6 = 1.3 px. An alignment must see through it.
EDGE_SHADING = 0.1
# The halo is narrow and bright at the rim of each thing, and wide and faint around it.
NARROW_HALO_DIAMETERS, WIDE_HALO_DIAMETERS = 0.16, 0.6


def phase_image(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a field in phase contrast.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        At least one nucleus.
    rng : Generator

    Returns
    -------
    ndarray of shape (Y, X), uint8

    Notes
    -----
    1. Nuclei are domes with dark nucleoli, in cells of uneven outline and granular plasm.
    2. Phase contrast shows thickness less its own surroundings: thick places are dark and get a bright halo.
    3. Light from one side brightens one edge of each thing and darkens the other.
    4. Specks that are no nuclei lie in the field too, and the lamp lights it unevenly.
    """
    diameter = typical_diameter(labels)
    thickness = nuclear_domes(labels, diameter) + 0.45 * _cells(labels, diameter, rng)
    thickness += 0.35 * _nucleoli(labels, diameter, rng) + 0.5 * _specks(labels, diameter, rng)
    halo = 0.5 * (
        blurred(thickness, NARROW_HALO_DIAMETERS * diameter) + blurred(thickness, WIDE_HALO_DIAMETERS * diameter)
    )
    angle = rng.uniform(0, 2 * np.pi)
    soft = blurred(thickness, 1.0)
    slope = np.sin(angle) * ndimage.sobel(soft, 0) + np.cos(angle) * ndimage.sobel(soft, 1)
    shown = 1 - 0.6 * blurred(thickness - halo, 0.8) + EDGE_SHADING * slope
    shown += 0.015 * smooth_noise(labels.shape, 2.0, rng) + 0.02 * rng.standard_normal(labels.shape)
    return np.clip(np.rint(GRAY * shown * uneven_light(labels.shape, rng)), 0, 255).astype(np.uint8)


def nuclear_domes(labels: np.ndarray, diameter_px: float) -> np.ndarray:
    """Give each nucleus a dome, 0..1: steep at its rim, flat in its middle; (Y, X), float64."""
    depth = np.zeros(labels.shape)
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is not None:
            # Of each nucleus alone, so that two that touch keep a furrow between them.
            own = np.pad(labels[place] == number, 1)
            depth[place] += ndimage.distance_transform_edt(own)[1:-1, 1:-1]
    return np.sqrt(np.clip(depth / (0.3 * diameter_px), 0, 1))


def uneven_light(shape: tuple, rng: np.random.Generator) -> np.ndarray:
    """Draw a slope and a bend of the lamp's light, 0.75..1.25; (Y, X), float64."""
    y, x = np.linspace(-1, 1, shape[0])[:, np.newaxis], np.linspace(-1, 1, shape[1])
    slope = rng.uniform(-0.1, 0.1, 2)
    return 1 + slope[0] * y + slope[1] * x - rng.uniform(0, 0.05) * (y**2 + x**2 - 1)


def _cells(labels: np.ndarray, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the plasm of the cells, 0..1: each pixel belongs to the nearest nucleus."""
    outside, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    owner = labels[tuple(nearest)]
    reach = rng.uniform(0.6, 1.6, labels.max() + 1) * diameter
    wavy = outside + 0.35 * diameter * smooth_noise(labels.shape, 0.6 * diameter, rng)
    cell = 1 / (1 + np.exp((wavy - reach[owner]) / (0.06 * diameter)))
    granular = 1 + 0.3 * smooth_noise(labels.shape, 0.05 * diameter, rng)
    return cell * (0.4 + 0.6 * np.exp(-outside / (0.8 * diameter))) * granular


def _nucleoli(labels: np.ndarray, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Put one to four round spots into each nucleus, 0..1."""
    spots = np.zeros(labels.shape)
    places = [np.argwhere(labels == number) for number in np.unique(labels[labels > 0])]
    for inside in places:
        for _ in range(rng.integers(1, 5)):
            spots[tuple(inside[rng.integers(len(inside))])] += 1
    sigma = 0.07 * diameter
    return np.clip(ndimage.gaussian_filter(spots, sigma) * 2 * np.pi * sigma**2, 0, 1) * (labels > 0)


def _specks(labels: np.ndarray, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Scatter small thick things outside nuclei, such as debris and vesicles, 0..1."""
    spots = np.zeros(labels.shape)
    free = np.argwhere(labels == 0)
    for place in free[rng.integers(len(free), size=rng.poisson(0.02 * labels.size / diameter**2))]:
        spots[tuple(place)] = rng.uniform(0.5, 1)
    sigma = 0.09 * diameter
    return np.clip(ndimage.gaussian_filter(spots, sigma) * 2 * np.pi * sigma**2, 0, 1)
