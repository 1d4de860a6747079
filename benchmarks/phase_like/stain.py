"""Draw what a nuclear stain shows of the same nuclei, with the faults that stains have."""

from __future__ import annotations

from functools import partial
from typing import Callable, Dict

import numpy as np
from scipy import ndimage

from benchmarks.phase_like.phase import nuclear_domes
from benchmarks.stress import camera, optics, specimen
from benchmarks.stress.camera import Field
from benchmarks.stress.specimen import smooth_noise
from cpunet.steps.diameter import typical_diameter

DARK, GLOW, NUCLEUS = 100.0, 60.0, 600.0  # gray levels of a camera of 12 bits
MISSING = 0.2
Fault = Callable[[np.ndarray, np.ndarray, np.random.Generator], Field]


def stain_light(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the light of stained nuclei on a dim background, without noise: (Y, X), float64, gray levels.

    Nuclei differ in brightness by a third and are mottled. The labels hold at least one nucleus.
    """
    diameter = typical_diameter(labels)
    brightness = np.exp(rng.normal(0, 0.33, labels.max() + 1)).clip(0.4, 2.5)
    mottled = 1 + 0.12 * smooth_noise(labels.shape, 0.06 * diameter, rng)
    light = nuclear_domes(labels, diameter) * brightness[labels] * mottled
    return DARK + GLOW + NUCLEUS * (ndimage.gaussian_filter(light, 1.0) + 0.03 * optics.blurred(light, diameter))


def dead_spots(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Lay dust before the camera: soft dark discs of half to two nuclei that take 40 to 95 % of the light."""
    diameter = typical_diameter(labels)
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    kept = np.ones(image.shape)
    for _ in range(2 + rng.poisson(0.01 * image.size / diameter**2)):
        center = rng.uniform(0, 1, 2) * image.shape
        away = np.hypot(y - center[0], x - center[1]) - diameter * rng.uniform(0.25, 1)
        kept *= 1 - rng.uniform(0.4, 0.95) / (1 + np.exp(away / (0.08 * diameter)))
    return DARK + (image - DARK) * kept, labels


def missing_nuclei(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Leave a fifth of the nuclei without stain; the labels keep them."""
    numbers = np.unique(labels[labels > 0])
    unstained = rng.choice(numbers, max(1, round(MISSING * len(numbers))), replace=False)
    gone = optics.blurred(np.isin(labels, unstained).astype(float), 1.0)
    reached = ndimage.maximum_filter(gone, 5)  # the glow just outside the rim as well
    return image + (DARK + GLOW - image) * np.clip(1.5 * reached, 0, 1), labels


# Kinds of pairs. A stain of the last three is of no use, and should be refused.
CLEAN, OTHER_FIELD = "clean", "other_field"
FAULTS: Dict[str, Fault] = {
    "uneven": partial(optics.lit_from_one_side, least=0.35),
    "leaks": specimen.cytoplasmic_haze,
    "dead_cells": specimen.dead_cells,
    "dead_spots": dead_spots,
    "missing": missing_nuclei,
    "out_of_focus": partial(optics.out_of_focus, share=0.5),
    "saturated": partial(camera.saturated, times=4),
}
KINDS = (CLEAN, *FAULTS, OTHER_FIELD)
USABLE = KINDS[:6]
