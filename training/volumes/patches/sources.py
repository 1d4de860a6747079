"""The training volumes of a run, normalized and scaled: what patches are cut from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential

from cpunet.errors import DataError
from cpunet.model.card import IMAGES, ModelCard
from cpunet.options import Options
from cpunet.training.data.ignored_pixels import with_ignored, without_ignored
from cpunet.training.data.labeled_images import object_diameters, read_labeled_image, rows_of_split
from cpunet.training.facts import median_diameter
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.sources import resize_labels
from cpunet.training.volumes.config import VolumeConfig, VolumeSource
from cpunet.training.volumes.data.labeled_volumes import LabeledVolume, find_labeled_volumes, read_labeled_volume
from cpunet.training.volumes.diameter import seen_diameters
from cpunet.training.volumes.evaluation.torch_model import card_for_volume_training
from cpunet.training.volumes.network import flat_levels_for
from cpunet.volumes.prepare import prepare_volume
from cpunet.volumes.resize import resize_volume
from cpunet.volumes.spacing import planes_factor, seen_shape


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


def validation_volumes(config: VolumeConfig, root: Path) -> list[list[LabeledVolume]]:
    """Choose `config.validation_images` validation volumes of each set, evenly over its index; always the same ones.

    DataError if a set has none. Sets of images have none, as their objects are not scored in 3-D.
    """
    chosen = []
    for source in config.data:
        rows = [] if source.dimensions == IMAGES else volumes_of_split(source, root, "val")
        chosen.append(rows[:: -(-len(rows) // config.validation_images) or 1])
    return chosen


def _read_volumes(config: VolumeConfig, source: VolumeSource, rows: Sequence[LabeledVolume]) -> SourceVolumes:
    read = [read_labeled_volume(row) for row in rows]
    diameters = [
        seen_diameters(labels if known is None else with_ignored(labels, ~known), row.z_step_px)
        for (_, labels, known), row in zip(read, rows, strict=True)
    ]
    diameter = median_diameter(diameters, source.folder)
    scale = config.diameter_px / diameter if config.diameter_px else 1.0
    card = card_for_volume_training(config)
    patches = [
        prepared_patch(*arrays, card, scale, row.z_step_px, f"{source.folder}: {row.id}")
        for row, arrays in zip(rows, read, strict=True)
    ]
    files = {row.id: (row.image, row.labels, *([row.ignored] if row.ignored else [])) for row in rows}
    return SourceVolumes(tuple(patches), files, diameter, float(np.median([row.z_step_px for row in rows])))


def _read_images(config: VolumeConfig, source: VolumeSource, root: Path) -> SourceVolumes:
    """Read images as volumes of one plane."""
    (rows,) = rows_of_split((source,), root, "train")
    images = [read_labeled_image(row) for row in rows]
    diameter = median_diameter([object_diameters(image.labels) for image in images], source.folder)
    scale = config.diameter_px / diameter if config.diameter_px else 1.0
    card = card_for_volume_training(config)
    patches = []
    for image in images:
        labels, known = without_ignored(image.labels)[np.newaxis], (image.labels >= 0)[np.newaxis]
        patches.append(
            prepared_patch(image.image[np.newaxis], labels, known, card, scale, None, f"{source.folder}: {image.id}")
        )
    files = {row.id: (row.image_path, row.labels_path, *([row.ignore_path] if row.ignore_path else [])) for row in rows}
    return SourceVolumes(tuple(patches), files, diameter, None)


def prepared_patch(
    image: NDArray[np.generic],
    labels: NDArray[np.integer],
    known: NDArray[np.bool_] | None,
    card: ModelCard,
    scale: float,
    z_step_px: float | None,
    name: str,
) -> Patch:
    """Normalize and resample a whole labeled volume, by the code that the module runs.

    Parameters
    ----------
    image : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
    labels : ndarray of shape (Z, Y, X), integer
    known : ndarray of shape (Z, Y, X), bool, or None
        Where somebody labeled; None if that is everywhere.
    card : ModelCard
        Of the network in training.
    scale : float
        By how much height and width are enlarged.
    z_step_px : float or None
        Distance of the planes over the width of a pixel; None for that of the network.
    name : str
        Of the set and the volume, for the message.

    Raises
    ------
    DataError
        If the volume does not fit the card.
    """
    try:
        channels = prepare_volume(image, card.input).channels
        factor = planes_factor(card.input, Options(z_step_px=z_step_px), scale)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from error
    # Numbers without gaps: large ones would cost time in each patch, and are not exact in the warp's float32.
    numbers, _, _ = relabel_sequential(labels)
    numbers = numbers.astype(np.int32) if known is None else with_ignored(numbers, ~known)
    shape = seen_shape(labels.shape, scale, factor)
    return Patch(resize_volume(channels, shape), resize_labels(numbers, shape))
