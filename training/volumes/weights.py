"""Trained weights of networks of volumes: checkpoints of a run, and the safetensors file that is kept and shared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpunet.training.config import config_to_dict
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.network import VolumeUNet
from cpunet.training.weights import FACTS_KEY, VOLUME_KEY, read_stored, volume_config, write_stored


@dataclass(frozen=True)
class TrainedVolumeNetwork:
    """A network of volumes with what is known of its training.

    Attributes
    ----------
    network : VolumeUNet
        In evaluation mode.
    config : VolumeConfig
    facts : dict
        What `cpunet.training.volumes.facts.volume_facts` found in the data.
    """

    network: VolumeUNet
    config: VolumeConfig
    facts: dict[str, Any]


def build_volume_network(config: VolumeConfig) -> VolumeUNet:
    """Return the network that a configuration describes, with random weights."""
    return VolumeUNet(config.architecture, len(config.channels), len(config.targets.roles))


def load_trained_volumes(path: Path) -> TrainedVolumeNetwork:
    """Read a checkpoint (``*.ckpt``) of a run, or a ``*.safetensors`` file, without running code from it.

    WeightsError if the file is missing, or was not written by `cpunet train-volumes`.
    """
    config, facts, weights = read_stored(Path(path), VOLUME_KEY, volume_config, "cpunet train-volumes")
    network = build_volume_network(config)
    network.load_state_dict(weights)
    return TrainedVolumeNetwork(network.eval(), config, facts)


def save_trained_volumes(path: Path, trained: TrainedVolumeNetwork) -> None:
    """Write weights, configuration and facts into one safetensors file."""
    write_stored(path, trained.network, {VOLUME_KEY: config_to_dict(trained.config), FACTS_KEY: trained.facts})
