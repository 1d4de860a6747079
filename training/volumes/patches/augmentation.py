"""Random patches of volumes: cut, warped, flipped and disturbed, always the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from monai.transforms import RandAffineGrid, Resample
from monai.transforms.utils import create_grid
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.training.patches.augmentation import LIMITS, spline_weights
from cpunet.training.patches.patch import Patch, label_pieces
from cpunet.training.volumes.patches.crop import crop_at_random

# A turned patch shows a little more than its side.
TURNED = 1.2
TRIES = 10
# Blur along z, planes that are missing, and planes that are black: at most so much of a patch.
MOST_MISSING, MOST_BLACK = 2, 0.3
LIMITS_OF_VOLUMES = {
    **LIMITS,
    "warp_fraction": (0.0, 1.0),
    "z_scale": (1.0, 4.0),
    "z_blur_planes": (0.0, 10.0),
    "depth_loss": (0.0, 0.95),
    "missing_fraction": (0.0, 1.0),
    "black_fraction": (0.0, 1.0),
}


@dataclass(frozen=True)
class VolumeAugmentation:
    """How far training volumes are changed.

    Every patch is flipped along all axes and turned by quarters in the plane at random. The changes of intensity each
    reach a quarter (noise, blur) or half (the others) of the patches. 0 switches a change off, as equal ends of 1 do
    for a range.

    Attributes
    ----------
    warp_fraction : float
        Share of the patches that are also turned by any angle in the plane, and zoomed, sheared and bent as far as the
        next fields say, by one interpolation with mirrored borders. The others keep their voxels as they are.
    scale_low, scale_high : float
        Range of the zoom of all axes alike, drawn evenly on a logarithmic scale.
    z_scale : float
        Along z the zoom may differ from that by a factor of up to this, to either side; 1: it does not.
    shear : float
        Largest shear in the plane.
    elastic_px : float
        Largest displacement in the plane, pixels of the patch, of points 32 pixels apart, between which the warp is
        smooth; the same in all planes.
    gamma_low, gamma_high : float
        Exponent on the normalized intensities; below 1 lifts dim objects.
    brightness_low, brightness_high : float
        Range of the factor on all intensities, in every patch.
    contrast : float
        Largest relative change of the distance to the patch's mean intensity.
    depth_loss : float
        0 to below 1; largest share of the light that is lost from the first to the last plane of a patch, or the other
        way round, falling exponentially as light is absorbed on its way.
    z_blur_planes : float
        Largest standard deviation of a Gaussian blur along z, planes.
    blur_px : float
        Largest standard deviation of a Gaussian blur in the plane.
    noise : float
        Largest standard deviation of added Gaussian noise, in normalized intensity.
    missing_fraction : float
        Share of patches in which one or two planes are missing: the plane before each is repeated in its place.
    black_fraction : float
        Share of patches whose first or last planes, up to a third, are black.

    Raises
    ------
    ValueError
        If a field is out of its range; the message names it.
    """

    warp_fraction: float = 0.5
    scale_low: float = 0.75
    scale_high: float = 1.35
    z_scale: float = 1.15
    shear: float = 0.1
    elastic_px: float = 2.0
    gamma_low: float = 0.7
    gamma_high: float = 1.5
    brightness_low: float = 0.7
    brightness_high: float = 1.4
    contrast: float = 0.0
    depth_loss: float = 0.5
    z_blur_planes: float = 0.8
    blur_px: float = 0.8
    noise: float = 0.08
    missing_fraction: float = 0.05
    black_fraction: float = 0.05

    # What an augmentation of images may choose, and this one may not.
    tissue_fraction = 0.0
    color_transfer_fraction = 0.0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value, (low, high) = getattr(self, name), LIMITS_OF_VOLUMES[name]
            if not low <= value <= high:
                raise ValueError(f"{name}: must lie between {low:g} and {high:g}; it is {value}.")
        for each in ("scale", "gamma", "brightness"):
            low, high = getattr(self, f"{each}_low"), getattr(self, f"{each}_high")
            if low > high:
                raise ValueError(f"{each}_low: must not be larger than {each}_high; they are {low} and {high}.")


STANDARD = VolumeAugmentation()
VOLUME_PRESETS = {
    "gentle": replace(
        STANDARD,
        warp_fraction=0.25,
        scale_low=0.9,
        scale_high=1.1,
        z_scale=1.0,
        shear=0.0,
        elastic_px=0.0,
        gamma_low=1.0,
        gamma_high=1.0,
        brightness_low=1.0,
        brightness_high=1.0,
        depth_loss=0.0,
        z_blur_planes=0.0,
        blur_px=0.0,
        noise=0.0,
        missing_fraction=0.0,
        black_fraction=0.0,
    ),
    "standard": STANDARD,
    "heavy": replace(
        STANDARD,
        warp_fraction=0.75,
        scale_low=0.6,
        scale_high=1.7,
        z_scale=1.4,
        shear=0.15,
        elastic_px=4.0,
        gamma_low=0.6,
        gamma_high=1.8,
        brightness_low=0.4,
        brightness_high=1.5,
        contrast=0.4,
        depth_loss=0.8,
        z_blur_planes=1.5,
        blur_px=1.2,
        noise=0.12,
        missing_fraction=0.1,
        black_fraction=0.1,
    ),
}


def augment_volume(
    patch: Patch, augmentation: VolumeAugmentation, shape: tuple[int, int, int], rng: np.random.Generator
) -> Patch:
    """Cut and change one random patch of a volume.

    Parameters
    ----------
    patch : Patch
        The whole volume, normalized: image (C, Z, Y, X), labels (Z, Y, X).
    augmentation : VolumeAugmentation
    shape : tuple of int
        Planes, height and width of the result.
    rng : numpy.random.Generator
        Decides everything.

    Returns
    -------
    Patch
        Of that shape, labels renumbered.
    """
    moved = _move(patch, augmentation, shape, rng)
    for _ in range(TRIES):
        if (moved.labels >= 0).any():
            break
        moved = _move(patch, augmentation, shape, rng)  # nothing could be learned from what nobody labeled
    return Patch(_disturb(moved.image, augmentation, rng), label_pieces(moved.labels))


def _move(
    patch: Patch, augmentation: VolumeAugmentation, shape: tuple[int, int, int], rng: np.random.Generator
) -> Patch:
    """Cut a patch, warp, flip and turn it; image and labels alike."""
    if rng.random() < augmentation.warp_fraction:
        moved = _warped(patch, augmentation, shape, rng)
    else:
        moved = crop_at_random(patch, shape, rng)
    image, labels = moved.image, moved.labels
    for axis in range(labels.ndim):
        if rng.random() < 0.5:
            image, labels = np.flip(image, axis + 1), np.flip(labels, axis)
    turns = int(rng.integers(4)) if shape[1] == shape[2] else 0
    image, labels = np.rot90(image, turns, (2, 3)), np.rot90(labels, turns, (1, 2))
    return Patch(np.ascontiguousarray(image), np.ascontiguousarray(labels))


def _warped(
    patch: Patch, augmentation: VolumeAugmentation, shape: tuple[int, int, int], rng: np.random.Generator
) -> Patch:
    """Cut a patch that is turned in the plane, zoomed, sheared and bent."""
    zoom = float(np.exp(rng.uniform(np.log(augmentation.scale_low), np.log(augmentation.scale_high))))
    along_z = zoom * float(np.exp(rng.uniform(-1, 1) * np.log(augmentation.z_scale)))
    # The far corners may be mirrored. Both odd or both even, so that the middles meet.
    wanted = (np.ceil(shape[0] / min(along_z, 1)), *(np.ceil(side * max(TURNED / zoom, 1)) for side in shape[1:]))
    source = tuple(int(size) + (int(size) - own) % 2 for size, own in zip(wanted, shape, strict=True))
    cut = crop_at_random(patch, source, rng)
    grid = create_grid(shape, dtype=np.float32, backend="torch")
    if augmentation.elastic_px:
        rows, columns = (spline_weights(side) for side in shape[1:])
        largest = rng.uniform(0, augmentation.elastic_px)
        points = rng.uniform(-largest, largest, (2, rows.shape[1], columns.shape[1])).astype(np.float32)
        grid[1:3] += torch.from_numpy(rows @ points @ columns.T)[:, np.newaxis]
    affine = RandAffineGrid(
        rotate_range=(np.pi, 0, 0),  # about the z axis
        shear_range=(0, 0, 0, augmentation.shear, 0, augmentation.shear),
        # monai's scale is that of the sampling grid: a smaller grid shows larger objects.
        scale_range=[(1 / each - 1, 1 / each - 1) for each in (along_z, zoom, zoom)],
    )
    affine.set_random_state(seed=int(rng.integers(2**31)))
    grid = affine(grid=grid)
    image = Resample("bilinear", padding_mode="reflection")(torch.from_numpy(cut.image), grid)
    numbers = torch.from_numpy(cut.labels[np.newaxis].astype(np.float32))
    labels = Resample("nearest", padding_mode="reflection")(numbers, grid)
    return Patch(image.numpy(), np.rint(labels[0].numpy()).astype(np.int32))


def _disturb(
    image: NDArray[np.float32], augmentation: VolumeAugmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Change a patch's intensities, in the order in which specimen, optics and camera do."""
    if augmentation.depth_loss and rng.random() < 0.5:
        image = image * light_by_plane(image.shape[1], rng.uniform(0, augmentation.depth_loss), rng)
    along_z = rng.uniform(0, augmentation.z_blur_planes) if rng.random() < 0.25 else 0
    in_plane = rng.uniform(0, augmentation.blur_px) if rng.random() < 0.25 else 0
    if along_z or in_plane:
        image = ndimage.gaussian_filter(image, (0, along_z, in_plane, in_plane), truncate=3)
    if augmentation.noise and rng.random() < 0.25:
        spread = np.float32(rng.uniform(0, augmentation.noise))
        image = image + spread * rng.standard_normal(image.shape, np.float32)
    if augmentation.contrast and rng.random() < 0.5:
        mean = image.mean(axis=(1, 2, 3), keepdims=True)
        image = mean + (image - mean) * np.float32(1 + rng.uniform(-1, 1) * augmentation.contrast)
    if (augmentation.gamma_low, augmentation.gamma_high) != (1, 1) and rng.random() < 0.5:
        gamma = rng.uniform(augmentation.gamma_low, augmentation.gamma_high)
        image = np.sign(image) * np.abs(image) ** np.float32(gamma)
    image = image * np.float32(rng.uniform(augmentation.brightness_low, augmentation.brightness_high))
    if rng.random() < augmentation.missing_fraction:
        image = without_planes(image, int(rng.integers(1, MOST_MISSING + 1)), rng)
    if rng.random() < augmentation.black_fraction:
        image = beside_black_planes(image, rng)
    return image


def light_by_plane(planes: int, lost: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return what is left of the light in each plane, falling exponentially from one end to the other.

    Parameters
    ----------
    planes : int
    lost : float
        0 to below 1; the share that is lost in the last plane.
    rng : numpy.random.Generator
        Chooses from which end the light comes.

    Returns
    -------
    ndarray of shape (planes, 1, 1), float32
    """
    left = (1 - lost) ** np.linspace(0, 1, planes, dtype=np.float32)
    return (left[::-1] if rng.random() < 0.5 else left)[:, np.newaxis, np.newaxis]


def without_planes(image: NDArray[np.float32], number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Replace so many planes of (C, Z, Y, X) by the one before each, as where a stage did not move."""
    if image.shape[1] < 2:
        return image
    image = image.copy()
    for plane in rng.integers(1, image.shape[1], number):
        image[:, plane] = image[:, plane - 1]
    return image


def beside_black_planes(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Make the first or the last planes of (C, Z, Y, X) black, up to a third of them."""
    number = int(rng.uniform(0, MOST_BLACK) * image.shape[1])
    if not number:
        return image
    image = image.copy()
    image[:, slice(0, number) if rng.random() < 0.5 else slice(-number, None)] = 0
    return image
