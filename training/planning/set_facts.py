"""Measure labeled images: the numbers that the training plan is based on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from cpunet.errors import DataError
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.data.labeled_images import (
    IndexRow,
    LabeledImage,
    none_for_validation,
    object_diameters,
    read_index,
    read_labeled_image,
)
from cpunet.training.facts import median_diameter
from cpunet.training.patches.targets import border_between_objects


@dataclass(frozen=True)
class SetFacts:
    """One data set's training images.

    Attributes
    ----------
    folder : str
    modalities : tuple of str
        Those of the index whose images have `channels` channels.
    channels : int
        Channels per image; 1 for gray images.
    images, objects, validation_images : int
        Counted over those modalities.
    smallest_side_px, pixels : int
        Shortest side of any image; number of pixels in all images together.
    diameter_px : float
        Median over the images of the median diameter.
    diameter_low_px, diameter_high_px : float
        The 5th and 95th percentile over all objects.
    foreground : float
        Share of pixels in objects, 0..1; the 5th percentile over the images that hold any.
    touching : float
        Share of objects that touch another, by a corner too, 0..1.
    dark_background : bool
        Whether the background is darker than the objects, in most images.
    """

    folder: str
    modalities: tuple[str, ...]
    channels: int
    images: int
    objects: int
    validation_images: int
    smallest_side_px: int
    pixels: int
    diameter_px: float
    diameter_low_px: float
    diameter_high_px: float
    foreground: float
    touching: float
    dark_background: bool


def look_at_set(folder: Path) -> SetFacts:
    """Read a data set's training images, and measure what decides how to train on them.

    If its images differ in their number of channels, the most frequent number decides which modalities are used.
    DataError if the set has no training image, no validation image or no object.
    """
    rows = [row for row in read_index(folder) if row.split in ("train", "val")]
    images = [(row, read_labeled_image(row)) for row in rows if row.split == "train"]
    if not images:
        raise DataError(f"{folder}: no image has the split 'train'. `cpunet data split` chooses some.")
    channels, modalities = commonest_channels(images)
    images = [(row, image) for row, image in images if row.modality in modalities]
    validation = sum(row.split == "val" and row.modality in modalities for row in rows)
    if not validation and not none_for_validation([row for row, _ in images]):
        raise DataError(f"{folder}: no image has the split 'val', and training needs some. See `cpunet data split`.")
    diameters = [object_diameters(image.labels) for _, image in images]
    typical = median_diameter(diameters, str(folder))
    every = np.concatenate(diameters)
    low, high = np.percentile(every, (5, 95))
    full = [image for _, image in images if (image.labels > 0).any()]
    return SetFacts(
        folder=folder.name,
        modalities=modalities,
        channels=channels,
        images=len(images),
        objects=len(every),
        validation_images=validation,
        smallest_side_px=min(min(image.labels.shape) for _, image in images),
        pixels=sum(image.labels.size for _, image in images),
        diameter_px=typical,
        diameter_low_px=float(low),
        diameter_high_px=float(high),
        foreground=float(np.percentile([np.mean(image.labels[image.labels >= 0] > 0) for image in full], 5)),
        touching=sum(objects_near_others(image) for image in full) / len(every),
        dark_background=sum(background_is_dark(image) for image in full) > len(full) / 2,
    )


def commonest_channels(images: Sequence[tuple[IndexRow, LabeledImage]]) -> tuple[int, tuple[str, ...]]:
    """Return the commonest number of channels, and the modalities all of whose images have it."""
    number = {row.key: 1 if image.image.ndim == 2 else image.image.shape[2] for row, image in images}
    commonest = Counter(number.values()).most_common(1)[0][0]
    others = {row.modality for row, _ in images if number[row.key] != commonest}
    fitting = sorted({row.modality for row, _ in images} - others)
    if not fitting:
        raise DataError(
            f"{images[0][0].folder}: within each modality some images have {commonest} channels and others have not. "
            "Give them modalities of their own in index.csv."
        )
    return commonest, tuple(fitting)


def objects_near_others(image: LabeledImage) -> int:
    """Count the objects that touch another, by a corner too."""
    labels = without_ignored(image.labels)
    return len(np.setdiff1d(labels[border_between_objects(labels, 1)], [0]))


def background_is_dark(image: LabeledImage) -> bool:
    """Return whether the background near the objects is darker than they are."""
    plane = image.image if image.image.ndim == 2 else image.image.mean(axis=2)
    mask = image.labels > 0
    around = ndimage.binary_dilation(mask, iterations=5) & (image.labels == 0)
    return bool(np.median(plane[around]) < np.median(plane[mask])) if around.any() else True
