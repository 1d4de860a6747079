"""From a configuration to its network."""

from __future__ import annotations

from cpunet.training.config import TrainingConfig
from cpunet.training.network.unet import UNet


def build_network(config: TrainingConfig) -> UNet:
    """Return the network that a configuration describes, with random weights."""
    return UNet(config.architecture, len(config.channels), len(config.targets.roles))
