"""How long a training run will take on this machine, measured on a few steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cpunet.cores import cores_allowed
from cpunet.errors import ConfigError
from cpunet.options import Options
from cpunet.progress import in_words
from cpunet.training.config import TrainingConfig
from cpunet.training.data.labeled_images import validation_sample
from cpunet.training.evaluation.torch_model import TorchModel, card_for_training, score_images
from cpunet.training.fine_tune import freeze_encoder, trainable_parameters
from cpunet.training.network.build import build_network
from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.optimizers import build_optimizer
from cpunet.training.patches.sources import read_sources
from cpunet.training.patches.stream import first_patches

FEWEST_REPEATS, MEASURED_SECONDS = 2, 1.0


@dataclass(frozen=True)
class Duration:
    """The parts of a run's time.

    Attributes
    ----------
    steps, validations : int
        How many of them.
    step_s : float
        Seconds of a step, with its patches prepared meanwhile.
    validation_s : float
        Seconds of a validation.
    """

    steps: int
    validations: int
    step_s: float
    validation_s: float

    @property
    def seconds(self) -> float:
        """The seconds of the whole run."""
        return self.steps * self.step_s + self.validations * self.validation_s

    def steps_within(self, minutes: float) -> int:
        """Return how many steps a run of so many minutes has, with as many validations as this one.

        ConfigError if not a single one fits.
        """
        steps = int((60 * minutes - self.validations * self.validation_s) / self.step_s)
        if steps < 1:
            least = self.step_s + self.validations * self.validation_s
            raise ConfigError(
                f"--minutes {minutes:g}: the validations and one step alone take {in_words(least)} on this machine."
            )
        return steps

    def of(self, config: Any) -> Duration:
        """Return the time of another run of the same network and images."""
        return replace(self, steps=config.steps, validations=validations_of(config))

    def __str__(self) -> str:
        return (
            f"about {in_words(self.seconds)} on this machine as busy as it is now: {self.steps} steps of "
            f"{self.step_s:.2g} s, and {self.validations} validations of {self.validation_s:.2g} s"
        )


def measure_duration(config: TrainingConfig, root: Path) -> Duration:
    """Take a few steps, prepare a few patches and score a validation image, and estimate the time of a whole run.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.

    Notes
    -----
    On a CPU, preparing patches takes cores from the network, so that the seconds of both add up. A GPU waits for
    the slower of the two.
    """
    network = build_network(config)
    if config.frozen == "encoder":
        freeze_encoder(network)
    network = network.to(memory_format=torch.channels_last)
    _, sources, _ = read_sources(config, root)
    stream = first_patches(sources, config, 2**30)
    items = iter(range(2**30))
    patch_s = seconds_of(lambda: stream[next(items)])
    cores = min(max(config.workers, 1) * config.devices, cores_allowed())
    patches_s = config.batch_size * patch_s / cores
    sample = [row for rows in validation_sample(config, root) for row in rows]
    model = TorchModel(network, config, card_for_training(config))
    # A random network finds no sizes of objects.
    options = Options(scale=1.0)
    image_s = seconds_of(lambda: score_images(model, sample[:1], options))
    per_step = seconds_with_patches(network, config, (config.patch_size,) * 2, patches_s)
    return Duration(config.steps, validations_of(config), per_step, image_s * len(sample))


def validations_of(config: Any) -> int:
    """Count the validations of a run, with that of the model to start from."""
    return -(-config.steps // config.validate_every) + bool(getattr(config, "start_from", ""))


def seconds_with_patches(network: nn.Module, config: Any, shape: tuple[int, ...], patches_s: float) -> float:
    """Measure a step of the optimizer, on the GPU if there is one, whose patches take so many seconds."""
    on_gpu = torch.cuda.is_available()
    step_s = step_seconds(network.cuda() if on_gpu else network, config, shape)
    return max(step_s, patches_s) if on_gpu else step_s + patches_s


def step_seconds(network: nn.Module, config: Any, shape: tuple[int, ...]) -> float:
    """Measure a step of the optimizer on random numbers, of patches of this shape."""
    device = next(network.parameters()).device
    loss_of = SegmentationLoss(config.loss, config.targets)
    optimizer = build_optimizer(trainable_parameters(network), config)
    count = config.batch_size // config.devices
    image = torch.rand(count, len(config.channels), *shape, device=device)
    targets = torch.rand(count, len(config.targets.roles), *shape, device=device)
    weights = torch.ones(count, 1, *shape, device=device)
    image = image.to(memory_format=torch.channels_last if len(shape) == 2 else torch.channels_last_3d)
    half = torch.float16 if config.precision == "16-mixed" else torch.bfloat16

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, half, enabled=config.precision != "32-true"):
            loss = loss_of(network(image), targets, weights)
        loss.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    network.train()
    step()  # the first one plans and allocates
    return seconds_of(step)


def seconds_of(work: Callable[[], object]) -> float:
    """Return the mean time of a piece of work: repeated for about a second, and twice if it takes longer."""
    began, repeats = time.perf_counter(), 0
    while repeats < FEWEST_REPEATS or time.perf_counter() - began < MEASURED_SECONDS:
        work()
        repeats += 1
    return (time.perf_counter() - began) / repeats
