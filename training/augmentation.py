"""Random patches: cut, warped, flipped and disturbed, always the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.data import set_track_meta
from monai.transforms import (
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    Randomizable,
    RandRotate90d,
)
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.training.config import Augmentation

# monai would record each change in each patch's metadata, which takes longer than the changes themselves.
set_track_meta(False)


@dataclass(frozen=True)
class Patch:
    """A piece of an image with its labels.

    Attributes
    ----------
    image : ndarray of shape (C, Y, X), float32
        Normalised.
    labels : ndarray of shape (Y, X), int32
        0 is background.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int32]


def crop_at_random(patch: Patch, size: int, rng: np.random.Generator) -> Patch:
    """Cut a square out of an image, mirroring it first where it is too small.

    Parameters
    ----------
    patch : Patch
        The whole image.
    size : int
        Height and width of the result, pixels.
    rng : numpy.random.Generator

    Returns
    -------
    Patch
        Of shape (C, size, size). A mirrored object keeps the number of its original; where the two do not touch they
        count as one object in two pieces, which `renumber` separates.
    """
    height, width = patch.labels.shape
    pad = [(0, max(0, size - height)), (0, max(0, size - width))]
    image, labels = patch.image, patch.labels
    if any(after for _, after in pad):
        image = np.pad(image, [(0, 0), *pad], mode="reflect")
        labels = np.pad(labels, pad, mode="reflect")
    top = rng.integers(0, labels.shape[0] - size + 1)
    left = rng.integers(0, labels.shape[1] - size + 1)
    window = (slice(top, top + size), slice(left, left + size))
    return Patch(image[(slice(None), *window)], labels[window])


def renumber(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Give each connected piece of each object a number of its own, 1..n.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background.

    Returns
    -------
    ndarray of shape (Y, X), int32
        A crop or a mirrored border can leave one object in two pieces; as targets they are two.
    """
    result = np.zeros(labels.shape, np.int32)
    count = 0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        pieces, found = ndimage.label(labels[window] == index)
        result[window][pieces > 0] = pieces[pieces > 0] + count
        count += found
    return result


def build_transforms(augmentation: Augmentation, patch_size: int, zoom: float) -> tuple[Randomizable, ...]:
    """Choose monai's transforms for one patch.

    Parameters
    ----------
    augmentation : Augmentation
    patch_size : int
        Height and width of the result, pixels.
    zoom : float
        Above 1 objects become larger.

    Returns
    -------
    tuple of monai.transforms.Randomizable
        Each takes and gives a dict with ``image`` (C, Y, X) and ``labels`` (1, Y, X).
    """
    both = ["image", "labels"]
    blur = (0.2, max(0.2, augmentation.blur_px))
    return (
        RandAffined(
            both,
            # Some patches keep their pixels as they are: a warp blunts the outline that is to be learned.
            prob=0.75,
            rotate_range=np.pi,
            shear_range=augmentation.shear,
            # monai's scale is that of the sampling grid: a smaller grid shows larger objects.
            scale_range=[(1 / zoom - 1, 1 / zoom - 1)] * 2,
            spatial_size=(patch_size, patch_size),
            mode=["bilinear", "nearest"],
            padding_mode="reflection",
        ),
        RandFlipd(both, prob=0.5, spatial_axis=0),
        RandRotate90d(both, prob=0.5, max_k=1),
        RandGaussianSmoothd("image", blur, blur, prob=0.25),
        RandGaussianNoised("image", prob=0.25, std=augmentation.noise),
        RandAdjustContrastd("image", prob=0.5, gamma=(augmentation.gamma_low, augmentation.gamma_high)),
    )


def augment(patch: Patch, augmentation: Augmentation, patch_size: int, rng: np.random.Generator) -> Patch:
    """Cut and change one random patch of an image.

    Parameters
    ----------
    patch : Patch
        The whole image, normalised.
    augmentation : Augmentation
    patch_size : int
        Height and width of the result, pixels.
    rng : numpy.random.Generator
        Decides everything.

    Returns
    -------
    Patch
        Of shape (C, patch_size, patch_size), labels renumbered.
    """
    if rng.random() < augmentation.empty_fraction:
        return empty_patch(patch.image.shape[0], patch_size, rng)
    zoom = float(np.exp(rng.uniform(np.log(augmentation.scale_low), np.log(augmentation.scale_high))))
    # What a patch turned by 45 degrees shows, or one and a half of its side where the zoom asks for less.
    source_size = int(np.ceil(patch_size * max(1.2 / zoom, 1.0)))
    cut = crop_at_random(patch, source_size, rng)
    result = {
        "image": torch.from_numpy(np.ascontiguousarray(cut.image)),
        "labels": torch.from_numpy(cut.labels[np.newaxis].astype(np.float32)),
    }
    # One shared state: seeding each transform anew, as Compose does, takes longer than transforming.
    state = np.random.RandomState(int(rng.integers(2**31)))
    for transform in build_transforms(augmentation, patch_size, zoom):
        transform.set_random_state(state=state)
        result = transform(result)
    image = np.asarray(result["image"], np.float32)
    brightness = np.float32(rng.uniform(0.8, 1.25))
    labels = np.rint(np.asarray(result["labels"])[0]).astype(np.int32)
    return Patch(image * brightness, renumber(labels))


def empty_patch(channels: int, patch_size: int, rng: np.random.Generator) -> Patch:
    """Draw a field without an object: smoothed noise, stretched to the contrast of a real image.

    Parameters
    ----------
    channels, patch_size : int
    rng : numpy.random.Generator

    Returns
    -------
    Patch
        Of shape (channels, patch_size, patch_size); labels all 0.
    """
    noise = rng.standard_normal((channels, patch_size, patch_size))
    smooth = ndimage.gaussian_filter(noise, (0, *[rng.choice([0.0, 0.7, 1.5])] * 2))
    low, high = np.percentile(smooth, (1, 99.8))
    image = ((smooth - low) / (high - low)).astype(np.float32)
    return Patch(image, np.zeros((patch_size, patch_size), np.int32))
