"""Short checks before a long training on volumes, as `cpunet.training.planning.sanity_check` makes them for images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from cpunet.files.images import write_picture
from cpunet.files.outputs import check_output
from cpunet.files.overlay import draw_outlines, gray_picture
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.stream import Item, targets_and_weights
from cpunet.training.planning.sanity_check import (
    OVERFIT_PATCHES,
    PATCHES_FILE,
    PATCHES_SHOWN,
    SanityCheck,
    check_initial_loss,
    check_objects,
    check_overfitting,
)
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.patches.sources import read_volume_sources, resolved, validation_volumes
from cpunet.training.volumes.patches.stream import VolumeStream
from cpunet.training.volumes.task import VolumeTask

# The batch that is overfitted is so small that the check takes a minute or two.
OVERFIT_PLANES, OVERFIT_SIZE = 16, 64
# How many patches are looked through for some with objects.
LOOKED_THROUGH = 32


def check_volume_training(config: VolumeConfig, root: Path, folder: Path) -> list[SanityCheck]:
    """Run all checks, and write patches.png with patches, labels and targets into `folder`.

    ConfigError or DataError if training could not even begin.
    """
    check_output(folder / PATCHES_FILE)
    config = resolved(config, root)
    torch.manual_seed(config.seed)
    sources = [source.patches for source in read_volume_sources(config, root)]
    validation_volumes(config, root)  # raises if there is none
    stream = VolumeStream(sources, config, 0, 2**30)
    patches = [stream.patch(index) for index in range(PATCHES_SHOWN)]
    folder.mkdir(parents=True, exist_ok=True)
    write_picture(folder / PATCHES_FILE, picture_of_volume_patches(patches, config))
    task = VolumeTask(config, {})
    batch = default_collate([stream[index] for index in range(config.batch_size)])
    return [
        check_objects(patches),
        check_initial_loss(task, batch, expected=True),
        check_overfitting(task, default_collate(_small_items_with_objects(sources, config))),
    ]


def _small_items_with_objects(sources: Sequence[Sequence[Patch]], config: VolumeConfig) -> list[Item]:
    """Return small patches for overfitting, with objects if there are some among the first ones."""
    unit, unit_of_planes = config.architecture.divisible_by, config.architecture.divisible_by_planes
    small = replace(
        config,
        patch_planes=min(config.patch_planes, max(1, OVERFIT_PLANES // unit_of_planes) * unit_of_planes),
        patch_size=min(config.patch_size, max(1, OVERFIT_SIZE // unit) * unit),
    )
    stream = VolumeStream(sources, small, 0, LOOKED_THROUGH)
    full = [index for index in range(LOOKED_THROUGH) if (stream.patch(index).labels > 0).any()]
    return [stream[index] for index in (full + list(range(LOOKED_THROUGH)))[:OVERFIT_PATCHES]]


def picture_of_volume_patches(patches: Sequence[Patch], config: VolumeConfig) -> NDArray[np.uint8]:
    """Draw augmented patches below each other, each cut where most of it is object.

    Parameters
    ----------
    patches : sequence of Patch
    config : VolumeConfig
        Resolved.

    Returns
    -------
    ndarray of shape (Y, X, 3), uint8
        Of each patch a plane, and below it a section along Z and X, stretched to its true height: the image, outlines,
        each target and the voxel weights.
    """
    step = config.z_step_px
    rows = []
    for patch in patches:
        targets, weights = targets_and_weights(patch.labels, config, (step, 1.0, 1.0))
        objects = patch.labels > 0
        plane, row = (int(np.argmax(objects.sum(axis=axes))) for axes in ((1, 2), (0, 2)))
        height = max(1, round(len(patch.labels) * step))
        places = np.minimum((np.arange(height) / step).astype(int), len(patch.labels) - 1)
        for cut in ((slice(None), plane), (slice(None), places, row)):
            gray = gray_picture(np.moveaxis(patch.image[cut], 0, -1))
            labels = without_ignored(patch.labels)[cut[1:]]
            drawn = [*targets[cut], weights[cut[1:]] / max(1.0, float(weights.max()))]
            pictures = [np.repeat((255 * each[..., np.newaxis]).astype(np.uint8), 3, axis=2) for each in drawn]
            rows.append(np.concatenate([gray, draw_outlines(gray, labels), *pictures], axis=1))
    return np.concatenate(rows)
