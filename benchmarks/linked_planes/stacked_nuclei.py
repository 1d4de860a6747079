"""Draw nuclei above each other in columns, and the regions that a network of images would find in each plane."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

Z_STEP_PX = 2.0
SIDE_OF_COLUMN_PX = 26
COLUMNS, NUCLEI = 4, 3  # columns a side of the stack, and nuclei in each
DIAMETERS_PX = (15.0, 25.0)
LARGEST_SHIFT = 0.35  # of a nucleus beside the one above it, in parts of the diameter
BLUR = (1.2, 1.0, 1.0)  # planes, rows and columns
NOISE = 0.05
FAULTS = ("exact", "regions missed", "false regions", "neighbors merged", "all three")
SHARE_OF_REGIONS = 0.08
SIDES_OF_FALSE_PX = (4, 12)


class StackedNuclei(NamedTuple):
    """A stack and its truth, both of shape (Z, Y, X)."""

    image: np.ndarray
    labels: np.ndarray


def stacked_nuclei(seed: int) -> StackedNuclei:
    """Draw 48 nuclei, which touch those above and below them."""
    rng = np.random.default_rng(seed)
    planes = int(NUCLEI * DIAMETERS_PX[1] / Z_STEP_PX) + 4
    labels = np.zeros((planes, *[COLUMNS * SIDE_OF_COLUMN_PX] * 2), np.int32)
    brightness = np.zeros(labels.shape, np.float32)
    z, y, x = np.ogrid[tuple(slice(size) for size in labels.shape)]
    number = 0
    for row in range(COLUMNS):
        for column in range(COLUMNS):
            top = 2.0 + rng.uniform(0, 3)
            at = (np.array([row, column]) + 0.5) * SIDE_OF_COLUMN_PX
            for _ in range(NUCLEI):
                number += 1
                diameter = rng.uniform(*DIAMETERS_PX)
                half = diameter / 2 / Z_STEP_PX
                distance = ((z - top - half) / half) ** 2 + sum(
                    ((axis - place) / (diameter / 2)) ** 2 for axis, place in zip((y, x), at)
                )
                own = (distance <= 1) & (labels == 0)
                labels[own], brightness[own] = number, rng.uniform(0.5, 1.0)
                top += 2 * half
                angle = rng.uniform(0, 2 * np.pi)
                shift = rng.uniform(0, LARGEST_SHIFT) * diameter * np.array([np.sin(angle), np.cos(angle)])
                at = np.clip(at + shift, 0, labels.shape[1] - 1)
    image = ndimage.gaussian_filter(brightness, BLUR) + rng.normal(0, NOISE, labels.shape).astype(np.float32)
    return StackedNuclei(image, labels)


def regions_in_planes(labels: np.ndarray, faults: str, seed: int) -> np.ndarray:
    """Return the regions of each plane, as they are or with faults that networks of images make.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
    faults : str
        One of `FAULTS`. ``regions missed``: of all regions, 8 % are not found. ``false regions``: as many squares lie
        in single planes, also over nuclei's ends. ``neighbors merged``: as many regions get the number of a region of
        the same plane that touches them.
    seed : int

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        Numbers differ between the planes.
    """
    rng = np.random.default_rng(seed)
    planes = np.zeros_like(labels)
    for own, plane in zip(planes, labels):
        own[:] = plane
        numbers = [number for number in np.unique(plane).tolist() if number]
        drawn = [number for number in numbers if rng.random() < SHARE_OF_REGIONS]
        if faults in ("neighbors merged", "all three"):
            for number in drawn:
                beside = own[ndimage.binary_dilation(plane == number, iterations=2) & ~np.isin(own, (0, number))]
                if len(beside):
                    own[own == number] = beside[0]
        if faults in ("regions missed", "all three"):
            own[np.isin(plane, [number for number in numbers if rng.random() < SHARE_OF_REGIONS])] = 0
        if faults in ("false regions", "all three"):
            for false in range(int(labels.max()) + 1, int(labels.max()) + 1 + len(drawn)):
                side = int(rng.integers(*SIDES_OF_FALSE_PX))
                top, left = rng.integers(0, plane.shape[0] - side), rng.integers(0, plane.shape[1] - side)
                patch = own[top : top + side, left : left + side]
                patch[patch == 0] = false
    return planes
