"""Textures of real nuclei, cut out of labeled images of one plane."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import regionprops
from skimage.transform import resize

from cpunet.errors import DataError
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.data.labeled_images import IndexRow, read_index, read_labeled_image

PATCH_PX = 48
MOST_IMAGES, MOST_OF_AN_IMAGE = 40, 20
# Smaller nuclei have no texture; what fills less of its own convex hull is rather a clump or a cut nucleus.
SMALLEST_PX, LEAST_SOLIDITY, MOST_ECCENTRIC = 18.0, 0.93, 0.85
# Of the way to the middle: the outermost pixels mix with the background.
RIM = 0.3
DARKEST, BRIGHTEST = 0.3, 2.5


def read_textures(folders: Sequence[Path], seed: int) -> NDArray[np.float32]:
    """Cut the textures of nuclei out of the fluorescence images to train on of some data sets.

    Parameters
    ----------
    folders : sequence of Path
        Data sets of images of one plane.
    seed : int
        Of the choice of images, at most `MOST_IMAGES` a set.

    Returns
    -------
    ndarray of shape (n, PATCH_PX, PATCH_PX), float32
        Brightness over that of the whole nucleus, mean about 1; beyond the nucleus, its nearest pixels go on.

    Raises
    ------
    DataError
        If a set holds no nucleus that is large and round enough.
    """
    found = []
    for folder in folders:
        rows = [row for row in read_index(folder) if row.split == "train" and row.modality == "fluorescence"]
        order = np.random.default_rng(seed).permutation(len(rows))[:MOST_IMAGES]
        patches = [patch for number in order for patch in textures_of_image(rows[number])]
        if not patches:
            raise DataError(
                f"{folder}: none of its {len(rows)} fluorescence images to train on holds a whole, round nucleus of "
                f"{SMALLEST_PX:.0f} pixels or more, of which the texture could be taken. Give another data set."
            )
        found += patches
    return np.stack(found)


def textures_of_image(row: IndexRow) -> list[NDArray[np.float32]]:
    """Return the textures of the whole, round and large nuclei of one image; see `read_textures`."""
    labeled = read_labeled_image(row)
    plane = np.asarray(labeled.image, np.float64)
    plane = plane if plane.ndim == 2 else plane.mean(axis=2)
    labels = without_ignored(labeled.labels)
    background = float(np.median(plane[labels == 0])) if (labels == 0).any() else 0.0
    found = []
    for region in regionprops(labels):
        top, left, bottom, right = region.bbox
        cut = top == 0 or left == 0 or bottom == labels.shape[0] or right == labels.shape[1]
        small = region.equivalent_diameter_area < SMALLEST_PX
        if cut or small or region.solidity < LEAST_SOLIDITY or region.eccentricity > MOST_ECCENTRIC:
            continue
        patch = _texture(plane[top:bottom, left:right] - background, region.image)
        found += [] if patch is None else [patch]
        if len(found) == MOST_OF_AN_IMAGE:
            break
    return found


def _texture(brightness: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    core = depth > max(1.0, RIM * depth.max())
    smooth = max(brightness.shape) / 4
    weight = ndimage.gaussian_filter(core.astype(np.float64), smooth)
    usual = ndimage.gaussian_filter(np.where(core, brightness, 0), smooth) / np.maximum(weight, 1e-6)
    if not core.any() or usual[core].min() <= 0:
        return None
    texture = np.clip(brightness / np.where(core, usual, 1), DARKEST, BRIGHTEST)
    nearest = ndimage.distance_transform_edt(~core, return_distances=False, return_indices=True)
    window = ndimage.find_objects(core.astype(np.uint8))[0]
    filled = (texture[tuple(nearest)] / texture[core].mean())[window]
    return resize(filled, (PATCH_PX, PATCH_PX), order=1).astype(np.float32)


def texture_of_volume(
    textures: NDArray[np.float32], shape: tuple[int, int, int], planes: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Fill a box with texture: real ones at some depths, and between them their mixture.

    Parameters
    ----------
    textures : ndarray of shape (n, PATCH_PX, PATCH_PX), float32
    shape : tuple of int
        Of the box, (Z, Y, X).
    planes : int
        At how many depths a real texture lies, 2 or more.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (Z, Y, X), float32
        Mean about 1. Where two textures mix, the deviation from 1 is kept.
    """
    _, height, width = shape
    real = np.empty((planes, height, width), np.float32)
    for number in range(planes):
        patch = np.rot90(textures[rng.integers(len(textures))], rng.integers(4))
        patch = patch[:, ::-1] if rng.random() < 0.5 else patch
        rows = np.linspace(0, PATCH_PX - 1, height).round().astype(np.intp)
        columns = np.linspace(0, PATCH_PX - 1, width).round().astype(np.intp)
        real[number] = patch[np.ix_(rows, columns)]
    place = np.linspace(0, planes - 1, shape[0])
    lower = np.minimum(place.astype(np.intp), planes - 2)
    share = (place - lower)[:, None, None].astype(np.float32)
    mixed = (1 - share) * (real[lower] - 1) + share * (real[lower + 1] - 1)
    return 1 + mixed / np.sqrt((1 - share) ** 2 + share**2)
