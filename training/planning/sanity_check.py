"""Short checks before a long training run: the first loss is as expected, and the network can overfit one batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import default_collate

from cpunet.files.images import write_picture
from cpunet.files.outputs import check_output
from cpunet.files.overlay import draw_outlines, gray_picture
from cpunet.training.config import TrainingConfig
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.data.labeled_images import validation_sample
from cpunet.training.fine_tune import trainable_parameters
from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.optimizers import build_optimizer
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.sources import read_sources
from cpunet.training.patches.stream import Item, first_patches, targets_and_weights
from cpunet.training.task import SegmentationTask

PATCHES_FILE = "patches.png"
PATCHES_SHOWN = 6
# The output layer begins with small weights, so the first loss is that of an undecided network but for this part.
INITIAL_TOLERANCE = 0.15
OVERFIT_PATCHES, OVERFIT_STEPS = 2, 300
# One batch counts as learned when so much of what can be learned of it is.
LEARNED = 0.8
# A target of exactly 0 or 1 would need an infinite logit.
CLOSEST = 1e-3


@dataclass(frozen=True)
class SanityCheck:
    """The result of one check, and a sentence about it; `doubtful`: training may begin, but nothing good was found."""

    passed: bool
    text: str
    doubtful: bool = False

    def __str__(self) -> str:
        verdict = "FAILED" if not self.passed else "doubt" if self.doubtful else "ok"
        return f"{verdict:6} {self.text}"


def check_training(config: TrainingConfig, root: Path, folder: Path) -> list[SanityCheck]:
    """Run all checks, and write patches.png with patches, labels and targets into `folder`.

    ConfigError or DataError if training could not even begin.
    """
    check_output(folder / PATCHES_FILE)
    torch.manual_seed(config.seed)
    _, sources, _ = read_sources(config, root)
    validation_sample(config, root)  # raises if there is none
    stream = first_patches(sources, config, max(PATCHES_SHOWN, config.batch_size))
    patches = [stream.patch(index) for index in range(PATCHES_SHOWN)]
    folder.mkdir(parents=True, exist_ok=True)
    write_picture(folder / PATCHES_FILE, picture_of_patches(patches, config))
    task = SegmentationTask(config, {})
    batch = default_collate([stream[index] for index in range(config.batch_size)])
    return [
        check_objects(patches),
        check_initial_loss(task, batch, expected=not config.start_from),
        check_overfitting(task, default_collate([stream[index] for index in range(OVERFIT_PATCHES)])),
    ]


def check_objects(patches: Sequence[Patch]) -> SanityCheck:
    """Check that patches hold objects, and finite numbers."""
    objects = [len(np.unique(patch.labels[patch.labels > 0])) for patch in patches]
    finite = all(np.isfinite(patch.image).all() for patch in patches)
    text = f"{len(patches)} augmented patches hold {', '.join(map(str, objects))} objects"
    return SanityCheck(finite and any(objects), text + ("" if finite else ", and values that are not finite"))


def undecided_loss(loss: SegmentationLoss, batch: Item) -> float:
    """Return the loss of a network that gives each class the same probability everywhere."""
    _, targets, weights = batch
    return float(loss(torch.zeros_like(targets), targets, weights))


def least_loss(loss: SegmentationLoss, batch: Item) -> float:
    """Return the loss of a perfect network, which is not 0 where targets lie between 0 and 1."""
    _, targets, weights = batch
    near = targets.clamp(CLOSEST, 1 - CLOSEST)
    logits = near.log() if loss.softmax else torch.logit(near)
    return float(loss(logits, targets, weights))


def check_initial_loss(task: Any, batch: Item, expected: bool) -> SanityCheck:
    """Compare the loss of an untrained network with that of an undecided one.

    Parameters
    ----------
    task : SegmentationTask or VolumeTask
        Not trained yet.
    batch : tuple of Tensor
    expected : bool
        Whether the weights are random, so that the network should be undecided.
    """
    image, targets, weights = batch
    with torch.no_grad():
        found = float(task.loss(task.network.train()(image), targets, weights))
    undecided = undecided_loss(task.loss, batch)
    if expected:
        passed = abs(found - undecided) <= INITIAL_TOLERANCE * undecided
        return SanityCheck(passed, f"the loss begins at {found:.3f}; an undecided network's would be {undecided:.3f}")
    worse = not found < undecided
    text = f"the loss begins at {found:.3f} with the weights to start from; by chance it would be {undecided:.3f}"
    if worse and np.isfinite(found):
        # Images of another kind may well begin worse than at random, and yet be learned sooner.
        text += (
            ". That is worse than chance: the model knows nothing like these images. Look at the labels in "
            f"{PATCHES_FILE}, and compare with a training without start_from"
        )
    return SanityCheck(bool(np.isfinite(found)), text, doubtful=worse)


def check_overfitting(task: Any, batch: Item) -> SanityCheck:
    """Train `task` on a single batch; a working network can overfit it."""
    image, targets, weights = batch
    undecided, least = undecided_loss(task.loss, batch), least_loss(task.loss, batch)
    optimizer = build_optimizer(trainable_parameters(task.network), task.config)
    task.train()
    began = time.perf_counter()
    learned, steps = 0.0, 0
    while steps < OVERFIT_STEPS and learned < LEARNED:
        task.on_train_epoch_start()
        loss: Tensor = task.loss(task.network(image.to(memory_format=task.memory_format)), targets, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
        learned = (undecided - float(loss.detach())) / (undecided - least)
    seconds = (time.perf_counter() - began) / steps
    return SanityCheck(
        learned >= LEARNED,
        f"{learned:.0%} of one batch of {len(image)} patches was overfitted after {steps} steps ({LEARNED:.0%} "
        f"within {OVERFIT_STEPS} steps is required); {seconds:.2f} s a step",
    )


def picture_of_patches(patches: Sequence[Patch], config: TrainingConfig) -> NDArray[np.uint8]:
    """Draw augmented patches below each other: image, outlines, each target and the pixel weights; uint8 (Y, X, 3)."""
    rows = []
    for patch in patches:
        gray = gray_picture(np.moveaxis(patch.image, 0, -1))
        targets, weights = targets_and_weights(patch.labels, config)
        planes = [*targets, weights / max(1.0, float(weights.max()))]
        drawn = [np.repeat((255 * plane[..., np.newaxis]).astype(np.uint8), 3, axis=2) for plane in planes]
        rows.append(np.concatenate([gray, draw_outlines(gray, without_ignored(patch.labels)), *drawn], axis=1))
    return np.concatenate(rows)
