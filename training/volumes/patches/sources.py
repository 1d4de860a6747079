"""The training volumes of a run, normalized and scaled: what patches are cut from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential
from skimage.transform import resize

from cpunet.errors import DataError
from cpunet.model.card import IMAGES
from cpunet.steps.planes import in_one_plane
from cpunet.steps.prepare import measured_channels, normalize
from cpunet.training.data.ignored_pixels import with_ignored, without_ignored
from cpunet.training.data.labeled_images import object_diameters, read_labeled_image, rows_of_split
from cpunet.training.facts import median_diameter
from cpunet.training.patches.patch import Patch
from cpunet.training.volumes.config import VolumeConfig, VolumeSource
from cpunet.training.volumes.data.labeled_volumes import LabeledVolume, find_labeled_volumes, read_labeled_volume
from cpunet.training.volumes.diameter import ball_diameters
from cpunet.training.volumes.network import flat_levels_for


@dataclass(frozen=True)
class SourceVolumes:
    """One data set of a run as it is in memory.

    Attributes
    ----------
    patches : tuple of Patch
        Whole volumes: images (C, Z, Y, X), labels (Z, Y, X).
    files : dict of str to tuple of Path
        The files of each volume, by its id.
    diameter_px : float
        Median diameter of the objects before scaling, widths of a pixel.
    z_step_px : float or None
        The distance of the planes before scaling, by the median of the volumes; None for images.
    """

    patches: tuple[Patch, ...]
    files: dict[str, tuple[Path, ...]]
    diameter_px: float
    z_step_px: float | None


def volumes_of_split(source: VolumeSource, root: Path, split: str) -> list[LabeledVolume]:
    """Choose the volumes of one split of a source; DataError if there is none."""
    volumes = find_labeled_volumes(root / source.folder, source.z_step_px or None)
    chosen = [volume for volume in volumes if volume.split == split]
    if not chosen:
        raise DataError(f"{root / source.folder}: no volume has the split {split!r}.")
    return chosen


def resolved(config: VolumeConfig, root: Path) -> VolumeConfig:
    """Return a configuration in which the z step and the levels of single planes are those of the data.

    Parameters
    ----------
    config : VolumeConfig
    root : Path
        The folder that holds the data sets.
    """
    z_step_px = config.z_step_px
    if not z_step_px:
        steps = [
            volume.z_step_px
            for source in config.data
            if source.dimensions != IMAGES
            for volume in volumes_of_split(source, root, "train")
        ]
        z_step_px = round(float(np.median(steps)), 4)
    architecture = config.architecture
    if architecture.flat_levels < 0:
        architecture = replace(architecture, flat_levels=flat_levels_for(z_step_px, architecture.depth))
    return replace(config, z_step_px=z_step_px, architecture=architecture)


def read_volume_sources(config: VolumeConfig, root: Path) -> list[SourceVolumes]:
    """Read all training volumes, normalized and scaled.

    Parameters
    ----------
    config : VolumeConfig
        Resolved.
    root : Path
        The folder that holds the data sets.

    Returns
    -------
    list of SourceVolumes
        One for each set.
    """
    return [
        _read_images(config, source, root)
        if source.dimensions == IMAGES
        else _read_volumes(config, source, volumes_of_split(source, root, "train"))
        for source in config.data
    ]


def validation_volumes(config: VolumeConfig, root: Path) -> list[Patch]:
    """Read `config.validation_images` validation volumes of each set, evenly over its index; always the same ones."""
    volumes = []
    for source in config.data:
        if source.dimensions != IMAGES:
            rows = volumes_of_split(source, root, "val")
            volumes += _read_volumes(config, source, rows[:: -(-len(rows) // config.validation_images)]).patches
    return volumes


def _read_volumes(config: VolumeConfig, source: VolumeSource, rows: Sequence[LabeledVolume]) -> SourceVolumes:
    read = [read_labeled_volume(row) for row in rows]
    diameters = [ball_diameters(labels, row.z_step_px) for (_, labels, _), row in zip(read, rows, strict=True)]
    diameter = median_diameter(diameters, source.folder)
    scale = config.diameter_px / diameter if config.diameter_px else 1.0
    patches = [
        normalized_volume(
            image, labels, known, config, (scale * row.z_step_px / config.z_step_px, scale, scale), row.id
        )
        for row, (image, labels, known) in zip(rows, read, strict=True)
    ]
    files = {row.id: (row.image, row.labels, *([row.ignored] if row.ignored else [])) for row in rows}
    return SourceVolumes(tuple(patches), files, diameter, float(np.median([row.z_step_px for row in rows])))


def _read_images(config: VolumeConfig, source: VolumeSource, root: Path) -> SourceVolumes:
    """Read images as volumes of one plane."""
    (rows,) = rows_of_split((source,), root, "train")
    images = [read_labeled_image(row) for row in rows]
    diameter = median_diameter([object_diameters(image.labels) for image in images], source.folder)
    scale = config.diameter_px / diameter if config.diameter_px else 1.0
    patches = [
        normalized_volume(
            image.image[np.newaxis],
            without_ignored(image.labels)[np.newaxis],
            (image.labels >= 0)[np.newaxis],
            config,
            (1.0, scale, scale),
            image.id,
        )
        for image in images
    ]
    files = {row.id: (row.image_path, row.labels_path, *([row.ignore_path] if row.ignore_path else [])) for row in rows}
    return SourceVolumes(tuple(patches), files, diameter, None)


def normalized_volume(
    image: NDArray[np.generic],
    labels: NDArray[np.integer],
    known: NDArray[np.bool_] | None,
    config: VolumeConfig,
    factors: Sequence[float],
    name: str,
) -> Patch:
    """Normalize a whole labeled volume, by the code that the module runs, then resample it.

    Parameters
    ----------
    image : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
    labels : ndarray of shape (Z, Y, X), integer
    known : ndarray of shape (Z, Y, X), bool, or None
        Where somebody labeled; None if that is everywhere.
    config : VolumeConfig
    factors : sequence of float
        By how much each axis is enlarged.
    name : str
        Of the volume, for the message.

    Raises
    ------
    DataError
        If the volume does not fit the configuration.
    """
    try:
        channels, usable, _, _ = measured_channels(in_one_plane(image), config.channels, config.normalization)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from error
    normalized = normalize(channels, config.normalization, usable)
    normalized = normalized.reshape(len(normalized), *labels.shape)
    numbers, _, _ = relabel_sequential(labels)
    numbers = numbers.astype(np.int32) if known is None else with_ignored(numbers, ~known)
    shape = tuple(max(1, round(side * factor)) for side, factor in zip(labels.shape, factors, strict=True))
    return Patch(resize_volume(normalized, shape), resize_volume_labels(numbers, shape))


def resize_volume(channels: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample (C, Z, Y, X) to other planes, height and width, linearly; smoothed first where it shrinks."""
    if channels.shape[1:] == shape:
        return channels
    shrinks = any(new < old for new, old in zip(shape, channels.shape[1:], strict=True))
    how = {"order": 1, "mode": "edge", "anti_aliasing": shrinks, "preserve_range": True}
    return np.stack([resize(each, shape, **how) for each in channels]).astype(np.float32)


def resize_volume_labels(labels: NDArray[np.int32], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Resample labels (Z, Y, X): each voxel gets the label of the nearest."""
    if labels.shape == shape:
        return labels
    return resize(labels, shape, order=0, mode="edge", anti_aliasing=False, preserve_range=True).astype(np.int32)
