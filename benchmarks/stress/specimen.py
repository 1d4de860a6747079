"""What else lies on a slide or in a dish. None of it is an object: the truth stays as it is."""

import numpy as np
from scipy import ndimage

from benchmarks.stress.camera import Field, Levels, levels_of, photographed
from benchmarks.stress.optics import blurred, blurred_by_disc


def bright_debris(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Scatter precipitate and dust: specks of 0.1 to 0.7 nuclei, 3 to 30 times as bright, some out of focus."""
    levels = levels_of(image, labels)
    added = np.zeros(image.shape)
    free = np.argwhere(labels == 0)
    for _ in range(_count(image, levels, 0.045, rng)):
        size = levels.diameter_px * np.exp(rng.uniform(np.log(0.1), np.log(0.7)))
        speck = _speck(size, rng) * levels.contrast * np.exp(rng.uniform(np.log(3), np.log(30)))
        blur = levels.diameter_px * (rng.uniform(0.08, 0.2) if rng.random() < 0.3 else rng.uniform(0.02, 0.04))
        speck = blurred(np.pad(speck, int(4 * blur) + 1), max(blur, 0.6))
        _add(added, speck, free[rng.integers(len(free))])
    glare = 0.02 * blurred(added, 1.5 * levels.diameter_px)
    return photographed(image + added + glare, rng, added), labels


def _speck(size: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a rough speck, 0..1, from smoothed noise inside an ellipse that was turned."""
    reach = int(np.ceil(size)) + 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    angle, longer = rng.uniform(0, np.pi), rng.uniform(1, 2.2)
    along, across = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
    away = np.hypot(along / longer, across * longer) / (size / 2)
    rough = blurred(rng.standard_normal(y.shape), max(0.5, size / 8))
    rough /= rough.std() or 1.0
    return np.clip(1.2 - away + 0.35 * rough, 0, 1)


def dead_cells(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Let dying cells float above the focus: clusters of bright balls with a wide glow, away from the nuclei."""
    levels = levels_of(image, labels)
    diameter = levels.diameter_px
    distance = ndimage.distance_transform_edt(labels == 0)
    free = np.argwhere(distance >= min(0.8 * diameter, np.percentile(distance, 98)))
    added = np.zeros(image.shape)
    reach = int(2 * diameter)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    for _ in range(_count(image, levels, 0.012, rng)):
        cell = np.zeros(y.shape)
        for _ in range(rng.integers(2, 7)):
            radius = diameter * rng.uniform(0.08, 0.22)
            shift = rng.normal(0, 0.22 * diameter, 2)
            square = 1 - ((y - shift[0]) ** 2 + (x - shift[1]) ** 2) / radius**2
            cell += np.sqrt(np.maximum(square, 0)) * rng.uniform(0.6, 1.4)
        cell = blurred_by_disc(cell, diameter * rng.uniform(0.06, 0.16))
        cell += 0.5 * blurred(cell, 0.5 * diameter)
        _add(added, cell * levels.contrast * rng.uniform(3, 8), free[rng.integers(len(free))])
    return photographed(image + added, rng, added), labels


def cytoplasmic_haze(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Stain the cytoplasm: each nucleus gets a mottled cell of its own size and brightness, brighter near the nucleus.

    It adds 0.15 to 0.8 of the nuclei's contrast, so that it is as bright in some cells as the nucleus in others.
    """
    levels = levels_of(image, labels)
    diameter = levels.diameter_px
    outside, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    owner = labels[tuple(nearest)]
    brightness = np.exp(rng.normal(np.log(0.4), 0.35, labels.max() + 1)).clip(0.15, 0.8)
    reach = rng.uniform(0.5, 1.1, labels.max() + 1) * diameter
    # Cells are not as round as their nuclei.
    wavy = outside + 0.3 * diameter * smooth_noise(image.shape, 0.5 * diameter, rng)
    cell = brightness[owner] / (1 + np.exp((wavy - reach[owner]) / (0.12 * diameter)))
    fading = 0.5 + 0.5 * np.exp(-outside / (0.6 * diameter))
    mottled = np.exp(0.25 * smooth_noise(image.shape, 0.06 * diameter, rng))
    added = levels.contrast * blurred(cell * fading * mottled, 0.07 * diameter)
    return photographed(image + added, rng, added), labels


def fibers(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Lay autofluorescent fibers across the field: wavy, of uneven brightness, some in bundles, some out of focus."""
    levels = levels_of(image, labels)
    diameter = levels.diameter_px
    added = np.zeros(image.shape)
    for _ in range(_count(image, levels, 0.018, rng)):
        way = _wavy_line(image.shape, diameter, rng)
        strands = rng.integers(1, 4)
        width = diameter * rng.uniform(0.04, 0.12)
        drawn = np.zeros(image.shape)
        for _ in range(strands):
            shifted = way + rng.normal(0, 0.15 * diameter, 2) * (strands > 1)
            y, x = np.rint(shifted).astype(int).T
            inside = (y >= 0) & (x >= 0) & (y < image.shape[0]) & (x < image.shape[1])
            uneven = np.exp(0.5 * ndimage.gaussian_filter1d(rng.standard_normal(len(y)), diameter) * diameter**0.5)
            np.add.at(drawn, (y[inside], x[inside]), uneven[inside])
        # A line of one a pixel, blurred, is 1 / (width * sqrt(2 pi)) high.
        drawn = blurred(drawn, width) * width * np.sqrt(2 * np.pi)
        added += drawn * levels.contrast * np.exp(rng.uniform(np.log(0.3), np.log(2)))
    added += 0.15 * blurred(added, 0.5 * diameter)
    return photographed(image + added, rng, added), labels


def _wavy_line(shape: tuple, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Walk across a field from a random place to both sides, a pixel a step, bending as it goes: (steps, 2)."""
    steps = int(rng.uniform(0.5, 2) * max(shape))
    bend = ndimage.gaussian_filter1d(rng.standard_normal(steps), diameter) * 0.05 / diameter**0.25
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend)
    way = np.cumsum(np.stack([np.sin(heading), np.cos(heading)], axis=1), axis=0)
    return way - way[steps // 2] + rng.uniform(0, 1, 2) * shape


def background_steps(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Raise the background in steps: a tissue with an edge of its own, and the seam of a stitched mosaic."""
    levels = levels_of(image, labels)
    height, width = image.shape
    tissue = blurred(rng.standard_normal(image.shape), min(image.shape) / 7)
    inside = blurred((tissue > np.percentile(tissue, 45)).astype(float), 0.05 * levels.diameter_px)
    mottled = np.exp(0.12 * smooth_noise(image.shape, 0.15 * levels.diameter_px, rng))
    y, x = np.ogrid[:height, :width]
    slant = rng.normal(0, 0.02)
    right = x + slant * y > width * rng.uniform(0.3, 0.7)
    below = y - slant * x > height * rng.uniform(0.3, 0.7)
    seam = rng.uniform(0, 0.35, 4)[2 * below.astype(int) + right]
    added = levels.contrast * (0.6 * inside * mottled + seam)
    return photographed(image + added, rng, added), labels


def chromocenters(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Give each nucleus the bright spots of a mouse nucleus: 6 to 16, 2 to 5 times as bright as the rest of it."""
    levels = levels_of(image, labels)
    diameter = levels.diameter_px
    above = image - levels.background
    depth = ndimage.distance_transform_edt(labels > 0)
    nuclei = blurred((labels > 0).astype(float), 0.05 * diameter)
    added = np.zeros(image.shape)
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is None:
            continue
        own = labels[place] == number
        inner = np.argwhere(own & (depth[place] > 0.08 * diameter))
        if not len(inner):
            continue
        mean = max(float(above[place][own].mean()), 0.0)
        for _ in range(round(rng.integers(6, 17) * min(1.5, own.sum() / (np.pi * diameter**2 / 4)))):
            radius = diameter * rng.uniform(0.03, 0.08)
            reach = int(np.ceil(3 * radius)) + 1
            y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
            spot = np.exp(-(np.hypot(y, x * rng.uniform(0.8, 1.25)) ** 2) / (2 * max(radius, 0.7) ** 2))
            center = inner[rng.integers(len(inner))] + [place[0].start, place[1].start]
            _add(added, spot * mean * 0.6 * rng.uniform(1, 4), center)
    added *= nuclei
    return photographed(image - 0.4 * nuclei * np.maximum(above, 0) + added, rng, added), labels


def _count(image: np.ndarray, levels: Levels, per_area: float, rng: np.random.Generator) -> int:
    """Draw how many things lie in a field, from their number a square of the nuclei's diameter."""
    return max(2, int(rng.poisson(per_area * image.size / levels.diameter_px**2)))


def smooth_noise(shape: tuple, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Draw noise of a grain, with a standard deviation of 1."""
    noise = blurred(rng.standard_normal(shape), max(sigma, 0.5))
    return noise / (noise.std() or 1.0)


def _add(field: np.ndarray, thing: np.ndarray, center: np.ndarray) -> None:
    """Add a small picture to a field, centered there; what sticks out of the field is lost."""
    top, left = np.asarray(center) - np.array(thing.shape) // 2
    rows = slice(max(0, top), min(field.shape[0], top + thing.shape[0]))
    columns = slice(max(0, left), min(field.shape[1], left + thing.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        field[rows, columns] += thing[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
