"""New fields from real nuclei: one alone in a large frame, and nuclei packed until each touches another."""

from typing import List, NamedTuple, Tuple

import numpy as np
from scipy import ndimage
from skimage.segmentation import relabel_sequential

from benchmarks.stress.camera import RIM_PX, Field, Levels, levels_of, photographed
from benchmarks.stress.optics import blurred

# A nucleus slides toward the middle of the clump until it overlaps the others by this share of its area. The overlap is
# the other nucleus's, so that the border between them is flattened, as where real ones press on each other.
SHARE_OVERLAPPING = 0.05


class Nucleus(NamedTuple):
    """A nucleus cut from an image, with what it glows beyond its outline.

    Attributes
    ----------
    light : ndarray of shape (Y, X), float
        Gray levels above the background; 0 farther than a few pixels from the nucleus.
    mask : ndarray of shape (Y, X), bool
    """

    light: np.ndarray
    mask: np.ndarray


def cut_nuclei(image: np.ndarray, labels: np.ndarray, levels: Levels) -> List[Nucleus]:
    """Cut out the nuclei of usual size that are complete and have no neighbor at their rim, else those with one."""
    areas = np.bincount(labels.ravel(), minlength=labels.max() + 1)
    usual = np.pi * levels.diameter_px**2 / 4
    alone: List[Nucleus] = []
    others: List[Nucleus] = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        if place is None or not 0.4 * usual < areas[number] < 2 * usual:
            continue
        window = tuple(slice(part.start - RIM_PX, part.stop + RIM_PX) for part in place)
        if any(part.start < 0 or part.stop > size for part, size in zip(window, labels.shape)):
            continue
        part = labels[window]
        mask = part == number
        near = ndimage.binary_dilation(mask, iterations=RIM_PX)
        weight = np.clip(1 - (ndimage.distance_transform_edt(~mask) - 1) / RIM_PX, 0, 1) * ~((part > 0) & ~mask)
        neighbor = bool(((part > 0) & ~mask & near).any())
        (others if neighbor else alone).append(Nucleus((image[window] - levels.background) * weight, mask))
    found = alone or others
    if not found:
        raise ValueError("The image has no complete nucleus of usual size that could be cut out.")
    return found


def turned(nucleus: Nucleus, rng: np.random.Generator) -> Nucleus:
    """Turn a nucleus by any angle, and mirror it or not."""
    angle, mirrored = rng.uniform(0, 360), rng.random() < 0.5
    light, mask = (ndimage.rotate(each.astype(float), angle, order=1) for each in nucleus)
    step = -1 if mirrored else 1
    return Nucleus(light[:, ::step], mask[:, ::step] > 0.5)


def sparse(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, size: int) -> Field:
    """Put one nucleus into an empty frame of ``size`` by ``size`` pixels."""
    levels = levels_of(image, labels)
    nuclei = cut_nuclei(image, labels, levels)
    nucleus = turned(nuclei[rng.integers(len(nuclei))], rng)
    light, frame = _empty_frame((size, size), levels, rng), np.zeros((size, size), np.int32)
    top, left = (int(rng.integers(RIM_PX, size - part - RIM_PX)) for part in nucleus.mask.shape)
    place = slice(top, top + nucleus.mask.shape[0]), slice(left, left + nucleus.mask.shape[1])
    light[place] += nucleus.light
    frame[place] = nucleus.mask
    return photographed(light, rng), frame


def _empty_frame(shape: Tuple[int, int], levels: Levels, rng: np.random.Generator) -> np.ndarray:
    """Draw an empty background, a little uneven, with the image's own level and noise."""
    y, x = np.linspace(-1, 1, shape[0])[:, np.newaxis], np.linspace(-1, 1, shape[1])
    glow = (levels.background - levels.dark) * (1 - 0.1 * (y**2 + x**2))
    return levels.dark + glow + rng.normal(0, levels.background_noise, shape)


def packed(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Fill a frame of the same size with nuclei of the image, turned at random, until each touches another."""
    levels = levels_of(image, labels)
    clump, light = pack(cut_nuclei(image, labels, levels), image.shape, levels.diameter_px, rng)
    background = _empty_frame(image.shape, levels, rng)
    # Light from nuclei above and below the focus lies over all of a dense field.
    haze = 0.1 * blurred(light, levels.diameter_px)
    return photographed(background + light + haze, rng, haze), clump


def pack(
    nuclei: List[Nucleus], shape: Tuple[int, int], diameter_px: float, rng: np.random.Generator
) -> Tuple[np.ndarray, np.ndarray]:
    """Pack nuclei, drawn with replacement, from the middle of a frame outward.

    Returns
    -------
    labels : ndarray of the shape asked for, int32
        Each nucleus touches another one, except where the frame cuts the place off.
    light : ndarray of the same shape, float
        Gray levels above the background; where two overlap, both count.
    """
    margin = int(2 * diameter_px)
    size = np.array(shape) + 2 * margin
    labels, light = np.zeros(size, np.int32), np.zeros(size)
    middle = size / 2
    for number, start in enumerate(_places(size, diameter_px), start=1):
        nucleus = turned(nuclei[rng.integers(len(nuclei))], rng)
        half = np.array(nucleus.mask.shape) // 2
        way = np.linspace(start, middle, int(np.hypot(*(middle - start))) + 1)
        for center in np.rint(way).astype(int):
            if (center < half).any() or (center - half + nucleus.mask.shape > size).any():
                continue
            place = tuple(slice(c - h, c - h + n) for c, h, n in zip(center, half, nucleus.mask.shape))
            taken = labels[place] > 0
            if number == 1 or (taken & nucleus.mask).sum() >= SHARE_OVERLAPPING * nucleus.mask.sum():
                labels[place] = np.where(nucleus.mask & ~taken, number, labels[place])
                light[place] += nucleus.light
                break
    inner = tuple(slice(margin, -margin) for _ in shape)
    return relabel_sequential(labels[inner])[0].astype(np.int32), light[inner]


def _places(size: np.ndarray, spacing: float) -> List[np.ndarray]:
    """Return points of a hexagonal grid, from the middle outward, that cover more than a frame."""
    rows, columns = (int(0.72 * n / spacing) + 1 for n in (size[0] / 0.87, size[1]))
    row, column = np.mgrid[-rows : rows + 1, -columns : columns + 1]
    points = np.stack([row * 0.87 * spacing, (column + 0.5 * (row % 2)) * spacing], axis=-1).reshape(-1, 2)
    order = np.argsort(np.hypot(*points.T), kind="stable")
    return list(points[order] + size / 2)
