"""The loss of validation images: the same patches, unchanged by augmentation, at each validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import default_collate

from cpunet.training.config import TrainingConfig
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.network.unet import UNet
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.sources import normalized_patch
from cpunet.training.patches.stream import Item, targets_and_weights


def validation_batches(
    config: TrainingConfig, sets: Sequence[Sequence[IndexRow]], diameters: Sequence[float | None]
) -> list[Item]:
    """Cut validation images into patches without overlap, in batches.

    Parameters
    ----------
    config : TrainingConfig
    sets : sequence of sequence of IndexRow
        Validation images of each data set.
    diameters : sequence of float or None
        The typical diameter in each set's images, pixels; None where images keep their size.

    Returns
    -------
    list of tuple of Tensor
        Images (N, C, Y, X), targets (N, roles, Y, X) and pixel weights (N, 1, Y, X), float32. N is the batch size of
        the training, and smaller in the last batch.
    """
    items = []
    for rows, diameter in zip(sets, diameters, strict=True):
        scale = config.diameter_px / diameter if diameter else 1.0
        for row in rows:
            whole = normalized_patch(read_labeled_image(row), config, scale)
            for patch in patches_of(whole, config.patch_size):
                targets, weights = targets_and_weights(patch.labels, config)
                items.append(
                    (torch.from_numpy(patch.image), torch.from_numpy(targets), torch.from_numpy(weights[np.newaxis]))
                )
    size = config.batch_size
    return [default_collate(items[start : start + size]) for start in range(0, len(items), size)]


def patches_of(image: Patch, size: int) -> Iterator[Patch]:
    """Cut an image into squares of `size` pixels; at its right and lower edge they are filled by mirroring.

    Each pixel of the image is in exactly one of them, but for those that are mirrored.
    """
    height, width = image.labels.shape
    pad = [(0, -height % size), (0, -width % size)]
    pixels = np.pad(image.image, [(0, 0), *pad], mode="reflect")
    labels = np.pad(image.labels, pad, mode="reflect")
    for top in range(0, labels.shape[0], size):
        for left in range(0, labels.shape[1], size):
            window = (slice(top, top + size), slice(left, left + size))
            yield Patch(np.ascontiguousarray(pixels[(slice(None), *window)]), np.ascontiguousarray(labels[window]))


def mean_loss(network: UNet, loss: SegmentationLoss, batches: Iterable[Item]) -> float:
    """Return the mean loss of batches, each patch counted the same; without dropout, and by the labels alone."""
    total, count = 0.0, 0
    training = network.training
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        for batch in batches:
            image, targets, weights = (each.to(device) for each in batch)
            logits = network(image.to(memory_format=torch.channels_last))
            total += float(loss(logits, targets, weights)) * len(image)
            count += len(image)
    network.train(training)
    return total / count
