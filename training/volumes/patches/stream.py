"""The stream of training patches of volumes: item i of a run is the same whenever it is asked for."""

from __future__ import annotations

import numpy as np
import torch

from cpunet.training.patches.patch import Patch
from cpunet.training.patches.stream import Item, PatchData, PatchStream, targets_and_weights
from cpunet.training.volumes.patches.augmentation import augment_volume


class VolumeStream(PatchStream):
    """The patches of volumes of a run."""

    def changed(self, image: Patch, rng: np.random.Generator) -> Patch:
        """Cut a patch out of a volume and augment it."""
        config = self.config
        shape = (config.patch_planes, config.patch_size, config.patch_size)
        return augment_volume(image, config.augmentation, shape, rng)

    def __getitem__(self, index: int) -> Item:
        """Return the volume (C, Z, Y, X), targets (roles, Z, Y, X) and voxel weights (1, Z, Y, X), float32."""
        patch = self.patch(index)
        targets, weights = targets_and_weights(patch.labels, self.config, (self.config.z_step_px, 1.0, 1.0))
        return torch.from_numpy(patch.image), torch.from_numpy(targets), torch.from_numpy(weights[np.newaxis])


class VolumeData(PatchData):
    """Training patches, cut from volumes that are held in memory."""

    stream = VolumeStream
