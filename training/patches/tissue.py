"""Synthetic tissue: nuclei cut out of the training images, packed until they touch and overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.patches.blur import wide_blur
from cpunet.training.patches.clumps import isolated_objects
from cpunet.training.patches.patch import Patch

# Enough for variety; more would cost memory and time at the start of a run.
NUCLEI_PER_IMAGE, MOST_NUCLEI = 12, 2000
# Dimmer objects are noise once they are stretched to the brightness of the others.
LEAST_CONTRAST = 0.08
SMALLEST_DIAMETER_PX = 8
# Typical diameter in a patch.
DIAMETERS_PX = (11.0, 48.0)
# Different nuclei in a patch; each is laid in eight ways.
PALETTE = 10
LONGEST = 1.8
# A nucleus is left out where more of it would lie below others.
MOST_HIDDEN = 0.35


@dataclass(frozen=True)
class Nucleus:
    """An object cut out of its image.

    Attributes
    ----------
    image : ndarray of shape (C, h, w), float32
        Brightness above the background around it; its median on the object, over all channels, is 1.
    mask : ndarray of shape (h, w), float32
        1 on the object, 0 elsewhere.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.float32]

    @property
    def diameter_px(self) -> float:
        """Diameter of a disc of the same area."""
        return float(2 * np.sqrt(self.mask.sum() / np.pi))


def cut_nuclei(images: Sequence[Patch], seed: int) -> list[Nucleus]:
    """Cut bright nuclei that touch nothing out of normalized images: at most 12 an image and 2000 in all."""
    rng = np.random.default_rng(seed)
    found: list[Nucleus] = []
    for index in rng.permutation(len(images)):
        image = images[index]
        numbers = rng.permutation(np.arange(1, int(image.labels.max(initial=0)) + 1))
        cut = 0
        for donor in isolated_objects(image, ndimage.find_objects(without_ignored(image.labels)), numbers):
            background = np.median(donor.image[:, donor.around], axis=1) if donor.around.any() else None
            if background is None:
                continue
            above = (donor.image - background[:, np.newaxis, np.newaxis]) * donor.opacity
            contrast = float(np.median(above[:, donor.mask]))
            nucleus = Nucleus((above / contrast).astype(np.float32), donor.mask.astype(np.float32))
            if contrast < LEAST_CONTRAST or nucleus.diameter_px < SMALLEST_DIAMETER_PX:
                continue
            found.append(nucleus)
            cut += 1
            if cut == NUCLEI_PER_IMAGE:
                break
        if len(found) >= MOST_NUCLEI:
            break
    return found


def packed_tissue(nuclei: Sequence[Nucleus], size: int, rng: np.random.Generator) -> Patch:
    """Build a patch of tissue.

    Parameters
    ----------
    nuclei : sequence of Nucleus
        At least one.
    size : int
        Height and width of the patch, pixels.
    rng : numpy.random.Generator
        Decides everything.

    Returns
    -------
    Patch
        Of shape (C, size, size). The background is about 0 and nuclei 0.2 to 1.

    Notes
    -----
    1. A typical diameter and an elongation are drawn, and some nuclei are brought to them.
    2. They are placed on a jittered hexagonal grid, with gaps where a smooth random field is low.
    3. Where two overlap, the pixel belongs to the one that was placed first. Their light is added, in part.
    4. Nuclei of other planes are added out of focus, without labels.

    Cut-and-paste images for training: Dwibedi et al. 2017, doi:10.1109/ICCV.2017.146. Nuclei packed like tissue:
    Kromp et al. 2020, doi:10.1038/s41597-020-00608-w, use similar artificial images.
    """
    diameter = float(np.exp(rng.uniform(*np.log(DIAMETERS_PX))))
    spread = rng.uniform(0.05, 0.25)
    elongation = rng.uniform(1, LONGEST) if rng.random() < 0.6 else 1.0
    palette = [
        turned
        for index in rng.integers(len(nuclei), size=PALETTE)
        for turned in _turned(
            _reshaped(
                nuclei[index],
                diameter * float(np.exp(rng.normal(0, spread))),
                elongation * rng.uniform(0.85, 1.15),
                rng,
            )
        )
    ]
    margin = int(2 * diameter)
    image = np.zeros((len(palette[0].image), size + 2 * margin, size + 2 * margin), np.float32)
    labels = np.zeros(image.shape[1:], np.int32)
    brightness_spread = rng.uniform(0, 0.45)
    added_light = np.float32(rng.uniform(0, 0.7))
    count = 0
    for y, x in _places(image.shape[1], diameter, rng):
        nucleus = palette[rng.integers(len(palette))]
        height, width = nucleus.mask.shape
        top, left = int(y - height / 2), int(x - width / 2)
        if top < 0 or left < 0 or top + height > labels.shape[0] or left + width > labels.shape[1]:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        mask, there = nucleus.mask > 0.5, labels[window]
        free = mask & (there == 0)
        if np.count_nonzero(free) < (1 - MOST_HIDDEN) * np.count_nonzero(mask):
            continue
        count += 1
        there[free] = count
        here = image[(slice(None), *window)]
        light = nucleus.image * np.float32(np.exp(rng.normal(0, brightness_spread)))
        here[:] = np.maximum(here, light) + added_light * np.minimum(here, light)
    if rng.random() < 0.7:
        image += other_planes(image, diameter, rng)
    image *= np.float32(rng.uniform(0.35, 0.85))
    inner = (slice(margin, margin + size),) * 2
    return Patch(np.ascontiguousarray(image[(slice(None), *inner)]), np.ascontiguousarray(labels[inner]))


def other_planes(image: NDArray[np.float32], diameter_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the blurred light of nuclei above and below, like those of `image` (C, Y, X), elsewhere in the plane."""
    moved = np.roll(image[:, ::-1], tuple(rng.integers(image.shape[1], size=2)), axis=(1, 2))
    sigma = diameter_px * rng.uniform(0.2, 0.9)
    return wide_blur(moved, sigma) * np.float32(rng.uniform(0.1, 0.8))


def _reshaped(nucleus: Nucleus, diameter_px: float, elongation: float, rng: np.random.Generator) -> Nucleus:
    """Bring a nucleus to a diameter, stretch it by an elongation and turn it by a random angle."""
    zoom = diameter_px / nucleus.diameter_px
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.diag([np.sqrt(elongation), 1 / np.sqrt(elongation)]) * zoom
    backward = np.linalg.inv(turn @ stretch)
    side = int(np.ceil(np.hypot(*nucleus.mask.shape) * zoom * np.sqrt(elongation))) + 2
    offset = (np.array(nucleus.mask.shape) - 1) / 2 - backward @ np.full(2, (side - 1) / 2)

    def warped(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        # Shrunk without a blur, texture would turn to noise.
        smooth = ndimage.gaussian_filter(plane, 0.5 * (1 / zoom - 1)) if zoom < 0.75 else plane
        moved: NDArray[np.float32] = ndimage.affine_transform(smooth, backward, offset, (side, side), order=1)
        return moved

    mask = warped(nucleus.mask)
    rows, columns = (np.flatnonzero((mask > 0.01).any(axis=axis)) for axis in (1, 0))
    inner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0, 1),) * 2
    return Nucleus(np.stack([warped(plane)[inner] for plane in nucleus.image]), mask[inner])


def _turned(nucleus: Nucleus) -> list[Nucleus]:
    """Return all eight ways to lay a nucleus: turned by multiples of 90 degrees, mirrored or not."""
    image, mask = nucleus.image, nucleus.mask
    return [
        Nucleus(planes[:, ::down, ::right], plane[::down, ::right])
        for planes, plane in ((image, mask), (image.transpose(0, 2, 1), mask.T))
        for down in (1, -1)
        for right in (1, -1)
    ]


def _places(size: int, diameter_px: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Choose the middles of nuclei in a square: float64 of shape (N, 2), in random order."""
    spacing = diameter_px * rng.uniform(0.72, 1.25)
    reach = int(np.ceil(size / spacing)) + 1
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    grid = np.stack([row * np.sqrt(0.75), column + row % 2 / 2], axis=1) * spacing
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    places = grid @ turn + size / 2 + rng.normal(0, rng.uniform(0.05, 0.22) * spacing, grid.shape)
    inside = places[((places > 0) & (places < size - 1)).all(axis=1)]
    if rng.random() < 0.6:
        density = ndimage.map_coordinates(rng.random((6, 6)), inside.T / size * 5, order=1)
        inside = inside[density > np.quantile(density, rng.uniform(0, 0.6))]
    return rng.permutation(inside)
