"""The stream of training patches: item i of a run is the same whenever, and wherever, it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cpunet.normalize import normalize
from cpunet.segment import prepare_image
from cpunet.training.augmentation import Patch, augment
from cpunet.training.config import TrainingConfig
from cpunet.training.data import DataError, LabelledImage
from cpunet.training.targets import make_targets


def normalized_patch(image: LabelledImage, config: TrainingConfig) -> Patch:
    """Normalise a whole labelled image, by the code that the module runs.

    Parameters
    ----------
    image : LabelledImage
    config : TrainingConfig

    Returns
    -------
    Patch
    """
    try:
        channels, usable = prepare_image(image.image, config.channels)
    except ValueError as error:
        raise DataError(f"{image.id}: {error}") from error
    return Patch(normalize(channels, config.normalization, usable), image.labels)


class PatchStream(Dataset[tuple[Tensor, Tensor]]):
    """The patches of a run, from `first` on.

    Parameters
    ----------
    sources : sequence of sequence of Patch
        Whole normalised images, by data set.
    config : TrainingConfig
    first : int
        Number of patches that the run has already seen: a resumed run goes on where it was.
    length : int
        How many patches this stream holds.

    Notes
    -----
    Each item draws from a generator seeded by (seed, number of the item), so the order of worker
    processes, their count, and a kill in between change nothing.
    """

    def __init__(self, sources: Sequence[Sequence[Patch]], config: TrainingConfig, first: int, length: int) -> None:
        self.sources = sources
        self.config = config
        self.first = first
        self.length = length
        shares = np.array([source.share for source in config.data])
        self.shares = shares / shares.sum()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return image (C, Y, X) and targets (3, Y, X), float32."""
        rng = np.random.default_rng((self.config.seed, self.first + index))
        images = self.sources[rng.choice(len(self.sources), p=self.shares)]
        image = images[rng.integers(len(images))]
        patch = augment(image, self.config.augmentation, self.config.patch_size, rng)
        targets = make_targets(patch.labels, self.config.loss.border_reach_px)
        return torch.from_numpy(patch.image), torch.from_numpy(targets)
