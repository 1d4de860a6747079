"""Measure labeled volumes: the numbers that the training plan is based on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import DataError
from cpunet.training.data.ignored_pixels import with_ignored
from cpunet.training.data.labeled_images import LabeledImage, read_index
from cpunet.training.facts import median_diameter
from cpunet.training.planning.set_facts import background_is_dark
from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes, read_labeled_volume
from cpunet.training.volumes.diameter import seen_diameters


@dataclass(frozen=True)
class VolumeSetFacts:
    """One data set's training volumes.

    Attributes
    ----------
    folder : str
    modality : str
        Of the first training volume.
    channels : int
        Channels per volume; 1 for gray ones.
    volumes, validation_volumes, objects : int
    z_step_px : float
        Median distance of the planes over the width of a pixel.
    z_step_given : bool
        Whether that was given on the command line, as the index does not say it of all.
    planes, side_px : int
        Median number of planes, and the median of the shorter sides.
    voxels : int
        Of all volumes together.
    diameter_px : float
        Median over the volumes of the median diameter of balls of the objects' volume, widths of a pixel.
    diameter_low_px, diameter_high_px : float
        The 5th and 95th percentile over all objects.
    foreground : float
        Share of voxels in objects, 0..1; the 5th percentile over the volumes that hold any.
    dark_background : bool
        Whether the background is darker than the objects, in most volumes.
    """

    folder: str
    modality: str
    channels: int
    volumes: int
    validation_volumes: int
    objects: int
    z_step_px: float
    z_step_given: bool
    planes: int
    side_px: int
    voxels: int
    diameter_px: float
    diameter_low_px: float
    diameter_high_px: float
    foreground: float
    dark_background: bool


def look_at_volumes(folder: Path, z_step_px: float | None = None) -> VolumeSetFacts:
    """Read a data set's training volumes, and measure what decides how to train on them.

    Parameters
    ----------
    folder : Path
    z_step_px : float, optional
        Of volumes of which the index does not say it.

    Raises
    ------
    DataError
        If the set has no volume to train on, none for validation or no object, or the volumes differ in their number
        of channels.
    """
    found = find_labeled_volumes(folder, z_step_px)
    rows = [row for row in found if row.split == "train"]
    if not rows:
        raise DataError(f"{folder}: no volume has the split 'train'. `cpunet data split` chooses some.")
    validation = sum(row.split == "val" for row in found)
    if not validation:
        raise DataError(f"{folder}: no volume has the split 'val', and training needs some. See `cpunet data split`.")
    shapes, diameters, shares, channels, dark = [], [], [], set(), []
    for row in rows:
        image, labels, known = read_labeled_volume(row)
        shapes.append(labels.shape)
        channels.add(1 if image.ndim == 3 else image.shape[3])
        judged = labels if known is None else with_ignored(labels, ~known)
        diameters.append(seen_diameters(judged, row.z_step_px))
        if labels.any():
            shares.append(float(np.mean(judged[judged >= 0] > 0)))
            dark.append(_fullest_plane_is_dark(image, labels, row.id))
    if len(channels) > 1:
        raise DataError(f"{folder}: its volumes differ in their number of channels ({_listed(channels)}).")
    typical = median_diameter(diameters, str(folder))
    low, high = np.percentile(np.concatenate(diameters), (5, 95))
    modalities = {row.id: row.modality for row in read_index(folder)}
    return VolumeSetFacts(
        folder=folder.name,
        modality=modalities[rows[0].id],
        channels=channels.pop(),
        volumes=len(rows),
        validation_volumes=validation,
        objects=sum(map(len, diameters)),
        z_step_px=round(float(np.median([row.z_step_px for row in rows])), 4),
        z_step_given=z_step_px is not None,
        planes=int(np.median([shape[0] for shape in shapes])),
        side_px=int(np.median([min(shape[1:]) for shape in shapes])),
        voxels=sum(int(np.prod(shape)) for shape in shapes),
        diameter_px=typical,
        diameter_low_px=float(low),
        diameter_high_px=float(high),
        foreground=float(np.percentile(shares, 5)),
        dark_background=sum(dark) > len(dark) / 2,
    )


def _fullest_plane_is_dark(image: NDArray[np.generic], labels: NDArray[np.int32], name: str) -> bool:
    plane = int(np.argmax((labels > 0).sum(axis=(1, 2))))
    return background_is_dark(LabeledImage(name, image[plane], labels[plane]))


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
