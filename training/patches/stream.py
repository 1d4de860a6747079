"""The stream of training patches: item i of a run is the same whenever, and wherever, it is asked for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cpunet.cores import cores_allowed
from cpunet.training.config import TrainingConfig
from cpunet.training.data.ignored_pixels import continued
from cpunet.training.patches.augmentation import augment
from cpunet.training.patches.color_transfer import ColorStatistics, colors_of_stained
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.targets import make_targets
from cpunet.training.patches.tissue import Nucleus, cut_nuclei
from cpunet.training.patches.weight_maps import pixel_weights

FORKS = "fork" in multiprocessing.get_all_start_methods()
# Image, targets and pixel weights; without or with a first axis for the batch.
Item = tuple[Tensor, Tensor, Tensor]


class PatchStream(Dataset[Item]):
    """The patches of a run, from `first` on.

    Parameters
    ----------
    sources : sequence of sequence of Patch
        Whole normalized images, by data set.
    config : TrainingConfig
    first : int
        Number of patches that the run has already seen: a resumed run goes on where it was.
    length : int
        How many patches this stream holds.
    nuclei : sequence of Nucleus
        From `nuclei_for_tissue`.
    colors : sequence of ColorStatistics
        From `colors_to_transfer`.

    Notes
    -----
    Each item draws from a generator seeded by (seed, number of the item), so the order of worker
    processes, their count, and a kill in between change nothing.
    """

    def __init__(
        self,
        sources: Sequence[Sequence[Patch]],
        config: TrainingConfig,
        first: int,
        length: int,
        nuclei: Sequence[Nucleus] = (),
        colors: Sequence[ColorStatistics] = (),
    ) -> None:
        self.sources = sources
        self.config = config
        self.first = first
        self.length = length
        shares = np.array([source.share for source in config.data])
        self.shares = shares / shares.sum()
        self.nuclei = nuclei
        self.colors = colors

    def __len__(self) -> int:
        return self.length

    def patch(self, index: int) -> Patch:
        """Draw and augment patch `index`."""
        rng = np.random.default_rng((self.config.seed, self.first + index))
        images = self.sources[rng.choice(len(self.sources), p=self.shares)]
        return self.changed(images[rng.integers(len(images))], rng)

    def changed(self, image: Patch, rng: np.random.Generator) -> Patch:
        """Cut a patch out of an image and augment it."""
        return augment(image, self.config.augmentation, self.config.patch_size, rng, self.nuclei, self.colors)

    def __getitem__(self, index: int) -> Item:
        """Return image (C, Y, X), targets (roles, Y, X) and pixel weights (1, Y, X), float32."""
        patch = self.patch(index)
        targets, weights = targets_and_weights(patch.labels, self.config)
        return torch.from_numpy(patch.image), torch.from_numpy(targets), torch.from_numpy(weights[np.newaxis])


def targets_and_weights(
    labels: NDArray[np.integer], config: Any, sampling: Sequence[float] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what is learned of the labels of a patch.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
    config : TrainingConfig or VolumeConfig
        Of which targets and loss are read.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    targets : ndarray of shape (roles, Y, X) or (roles, Z, Y, X), float32
    weights : ndarray of the labels' shape, float32
        0 where nobody labeled.
    """
    whole = continued(labels, sampling)
    targets = make_targets(whole, config.targets, sampling)
    weights = pixel_weights(whole, targets, config.loss, config.targets, sampling)
    return targets, np.where(labels < 0, np.float32(0), weights)


def nuclei_for_tissue(sources: Sequence[Sequence[Patch]], config: TrainingConfig) -> list[Nucleus]:
    """Cut out what synthetic tissue is built of; nothing if the configuration asks for none."""
    if not config.augmentation.tissue_fraction:
        return []
    return cut_nuclei([image for images in sources for image in images], config.seed)


def colors_to_transfer(sources: Sequence[Sequence[Patch]], config: TrainingConfig) -> list[ColorStatistics]:
    """Measure the colors that stained patches are given; nothing if the configuration asks for none."""
    if not config.augmentation.color_transfer_fraction:
        return []
    return colors_of_stained(image for images in sources for image in images)


def first_patches(sources: Sequence[Sequence[Patch]], config: TrainingConfig, length: int) -> PatchStream:
    """Return the first `length` patches of a run."""
    nuclei, colors = nuclei_for_tissue(sources, config), colors_to_transfer(sources, config)
    return PatchStream(sources, config, 0, length, nuclei, colors)


class PatchData(lightning.LightningDataModule):
    """Training patches, cut from images that are held in memory.

    Parameters
    ----------
    config : TrainingConfig
    sources : sequence of sequence of Patch
        Whole normalized images, by data set.

    Attributes
    ----------
    stream : type
        What makes the items of a batch.
    collate : callable, optional
        What makes a batch of items; torch's own by default.
    """

    stream: type[PatchStream] = PatchStream
    collate: Callable[[Sequence[Any]], Any] | None = None

    def __init__(self, config: TrainingConfig, sources: Sequence[Sequence[Patch]]) -> None:
        super().__init__()
        self.config = config
        self.sources = sources
        self.nuclei = nuclei_for_tissue(sources, config)
        self.colors = colors_to_transfer(sources, config)

    def train_dataloader(self) -> DataLoader[Item]:
        """Return the patches from the trainer's present step to its next validation.

        With several devices the stream is dealt out item by item, so that a step sees the patches that it would see
        on one device. Lightning would shuffle them.
        """
        assert self.trainer is not None
        done = self.trainer.global_step
        # At least one, though nobody asks for it: lightning warns of an empty loader when a finished run is resumed.
        steps = max(1, min(self.config.validate_every, self.config.steps - done))
        # More workers than cores would wait for each other; the patches are the same with any number of them.
        batch_size, workers = self.config.batch_size, min(self.config.workers, cores_allowed())
        first, length = done * batch_size, steps * batch_size
        stream = self.stream(self.sources, self.config, first, length, self.nuclei, self.colors)
        return DataLoader(
            stream,
            sampler=range(self.trainer.global_rank, len(stream), self.trainer.world_size),
            batch_size=batch_size // self.config.devices,
            num_workers=workers,
            collate_fn=self.collate,
            # Forked workers share the images in memory with this process instead of copying them; Windows has none.
            multiprocessing_context="fork" if workers and FORKS else None,
            pin_memory=torch.cuda.is_available(),
            prefetch_factor=4 if workers else None,
        )
