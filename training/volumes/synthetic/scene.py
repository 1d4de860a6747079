"""Make one synthetic volume with its labels, from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import relabel_sequential

from cpunet.files.formats.voxel_size import VoxelSize
from cpunet.training.volumes.synthetic.arrangements import place
from cpunet.training.volumes.synthetic.camera import recorded
from cpunet.training.volumes.synthetic.nucleus import DrawnNucleus, draw_nuclei_at, drawn, with_contacts
from cpunet.training.volumes.synthetic.optics import draw_point_spread, haze, light_of_planes, uneven_light
from cpunet.training.volumes.synthetic.recipe import LEAST_PLANES, VolumeRecipe

NUCLEUS_UM = (7.0, 15.0)
EXACT_LEVEL = 0.5
# What a face of the volume, or a neighbor, leaves of a nucleus is no object below so many voxels, or this share.
SMALLEST_VOXELS, SMALLEST_SHARE = 8, 0.03


@dataclass(frozen=True)
class SyntheticVolume:
    """A volume and its truth.

    Attributes
    ----------
    image : ndarray of shape (Z, Y, X), uint16 or uint8
    labels : ndarray of shape (Z, Y, X), int32
        0 is background, 1..n the nuclei.
    size : VoxelSize
    arrangement : str
        How the nuclei lie.
    """

    image: NDArray[np.unsignedinteger]
    labels: NDArray[np.int32]
    size: VoxelSize
    arrangement: str


def make_volume(recipe: VolumeRecipe, textures: NDArray[np.float32], rng: np.random.Generator) -> SyntheticVolume:
    """Make a volume.

    Parameters
    ----------
    recipe : VolumeRecipe
    textures : ndarray of shape (n, PATCH_PX, PATCH_PX), float32
        From `read_textures`.
    rng : numpy.random.Generator
        The same one gives the same volume.

    Notes
    -----
    1. Draw the size of nuclei and voxels, the optics, and how nuclei lie.
    2. Draw each nucleus with the texture of real ones, and blur it by the point spread function.
    3. A voxel belongs to the nucleus that is brightest there, beside its own largest brightness, if that is above the
       outline level.
    4. Add haze and specks, take light away by depth, bleaching and uneven light, and record it with noise.
    """
    diameter = float(np.exp(rng.uniform(*np.log(recipe.diameters_px))))
    low, high = recipe.z_steps_px
    z_step = float(np.exp(rng.uniform(np.log(low), np.log(max(low, min(high, diameter / LEAST_PLANES))))))
    pixel_size = rng.uniform(*NUCLEUS_UM) / diameter
    spread = draw_point_spread(diameter, pixel_size, rng)
    names = list(recipe.arrangements)
    weights = np.array([recipe.arrangements[name] for name in names])
    kind = str(rng.choice(names, p=weights / weights.sum()))
    extent = np.array([recipe.shape[0] * z_step, *recipe.shape[1:]])
    placed = place(kind, extent, diameter / 2, rng)
    light = np.zeros(recipe.shape, np.float32)
    best = np.full(recipe.shape, recipe.outline_level or EXACT_LEVEL, np.float32)
    labels = np.zeros(recipe.shape, np.int32)
    whole = [0]
    nuclei = [
        nucleus
        for center, normal in zip(placed.centers, placed.normals, strict=True)
        for nucleus in draw_nuclei_at(center, normal, diameter / 2, rng)
    ]
    for nucleus in with_contacts(nuclei):
        one = drawn(nucleus, spread, z_step, textures, recipe.outline_level > 0, rng)
        whole.append(int((one.shape > (recipe.outline_level or EXACT_LEVEL)).sum()))
        _add(one, len(whole) - 1, light, best, labels)
    _add_specks(light, diameter, rng)
    labels = whole_objects(labels, whole)
    light += np.float32(rng.uniform(0, 0.35)) * haze(light, diameter * rng.uniform(0.8, 2), z_step)
    light *= light_of_planes(recipe.shape[0], z_step, diameter, rng)[:, None, None]
    light *= uneven_light(recipe.shape[1:], rng.uniform(0, 0.4), rng)
    size = VoxelSize(round(float(pixel_size), 4), round(float(pixel_size * z_step), 4))
    return SyntheticVolume(recorded(light, rng), labels, size, kind)


def _add(
    one: DrawnNucleus,
    number: int,
    light: NDArray[np.float32],
    best: NDArray[np.float32],
    labels: NDArray[np.int32],
) -> None:
    """Add what of a nucleus lies within the volume, in place."""
    begins = [max(0, start) for start in one.start]
    ends = [min(side, start + many) for side, start, many in zip(light.shape, one.start, one.light.shape, strict=True)]
    if any(end <= begin for begin, end in zip(begins, ends, strict=True)):
        return
    there = tuple(slice(begin, end) for begin, end in zip(begins, ends, strict=True))
    of_box = tuple(slice(begin - start, end - start) for begin, end, start in zip(begins, ends, one.start, strict=True))
    light[there] += one.light[of_box]
    shape = one.shape[of_box]
    nearer = shape > best[there]
    labels[there][nearer] = number
    best[there][nearer] = shape[nearer]


def _add_specks(light: NDArray[np.float32], diameter_px: float, rng: np.random.Generator) -> None:
    """Add bright specks of dust or debris, which are no objects, in place."""
    for _ in range(rng.poisson(1.5)):
        z, y, x = (int(rng.integers(side)) for side in light.shape)
        side = int(rng.integers(1, max(2, diameter_px // 7) + 1))
        light[z, y : y + side, x : x + side] += np.float32(rng.uniform(0.5, 4))


def whole_objects(labels: NDArray[np.int32], sizes: list[int]) -> NDArray[np.int32]:
    """Keep the largest piece of each object, if enough of it is left, and number the objects from 1 on.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
    sizes : list of int
        How many voxels each object would have by itself, by its number.
    """
    kept = np.zeros_like(labels)
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        pieces, count = ndimage.label(labels[window] == number)
        voxels = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        if voxels.max() >= max(SMALLEST_VOXELS, SMALLEST_SHARE * sizes[number]):
            kept[window][pieces == 1 + int(voxels.argmax())] = number
    return relabel_sequential(kept)[0].astype(np.int32)
