"""Teachers: trained networks whose probabilities a smaller network learns beside the labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cpunet.errors import ConfigError
from cpunet.training.config import TrainingConfig
from cpunet.training.fine_tune import find_weights
from cpunet.training.network.unet import UNet, probabilities_of
from cpunet.training.weights import load_trained


def load_teachers(config: TrainingConfig) -> list[UNet]:
    """Load the networks that a configuration names as teachers, in evaluation mode and without gradients.

    ConfigError if one has other image channels, targets or contrast limits than this run.
    """
    teachers = []
    for name in config.teachers:
        teacher = load_trained(find_weights(name, "teachers"))
        for what, wanted, found in (
            ("channels", config.channels, teacher.config.channels),
            ("targets", config.targets, teacher.config.targets),
            ("normalization", config.normalization, teacher.config.normalization),
        ):
            if wanted != found:
                raise ConfigError(
                    f"teachers: {name} has other {what} than this run: {found} instead of {wanted}. A teacher must see "
                    "the same image and predict the same channels."
                )
        network = teacher.network.requires_grad_(False)
        if teacher.config.loss.sharpening != 1:  # the student learns the probabilities that the teacher's model gives
            network.head.weight *= teacher.config.loss.sharpening
            network.head.bias *= teacher.config.loss.sharpening
        teachers.append(network)
    return teachers


@torch.no_grad()
def taught_targets(image: Tensor, targets: Tensor, teachers: Sequence[UNet], activation: str, share: float) -> Tensor:
    """Blend the labels' targets with what the teachers see.

    Parameters
    ----------
    image : Tensor of shape (N, channels, Y, X)
    targets : Tensor of shape (N, roles, Y, X)
        0..1.
    teachers : sequence of UNet
    activation : str
        ``sigmoid`` or ``softmax``.
    share : float
        0..1; the part of the teachers.

    Returns
    -------
    Tensor of shape (N, roles, Y, X)
        ``targets`` themselves if there is no teacher.

    Notes
    -----
    Hinton, Vinyals, Dean 2015, doi:10.48550/arXiv.1503.02531, with the mean probability of several teachers.
    """
    if not teachers:
        return targets
    seen = torch.stack([probabilities_of(teacher(image).float(), activation) for teacher in teachers]).mean(dim=0)
    return share * seen + (1 - share) * targets
