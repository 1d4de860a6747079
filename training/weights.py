"""Weights on disk: checkpoints of a run, and the safetensors file that is kept and shared."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from cpunet.errors import WeightsError
from cpunet.files.written_beside import written_beside
from cpunet.training.config import TrainingConfig, config_from_dict, config_to_dict
from cpunet.training.network.build import build_network
from cpunet.training.network.unet import UNet

CONFIG_KEY, FACTS_KEY = "cpunet_config", "cpunet_facts"
WEIGHTS_FILE = "weights.safetensors"
NETWORK_PREFIX = "network."


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with what is known of its training.

    Attributes
    ----------
    network : UNet
        In evaluation mode.
    config : TrainingConfig
    facts : dict
        What `cpunet.training.facts.training_facts` found in the data.
    """

    network: UNet
    config: TrainingConfig
    facts: dict[str, Any]


def load_trained(path: Path) -> TrainedNetwork:
    """Read a checkpoint (``*.ckpt``) of a run, or a ``*.safetensors`` file, without running code from it.

    WeightsError if the file is missing, or was not written by `cpunet train`.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file.")
    try:
        config, facts, weights = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
    except Exception as error:  # torch's reader meets a broken file with almost any exception
        # What follows the first sentence is torch's advice to programmers, such as to run the file's code.
        reason = re.split(r"\. |\n", str(error), maxsplit=1)[0].rstrip(".")
        raise WeightsError(
            f"{path}: this holds no weights that `cpunet train` wrote ({type(error).__name__}: {reason}). Give the "
            f"{WEIGHTS_FILE} of a run."
        ) from None
    network = build_network(config)
    network.load_state_dict(weights)
    return TrainedNetwork(network.eval(), config, facts)


def save_trained(path: Path, trained: TrainedNetwork) -> None:
    """Write weights, configuration and facts into one safetensors file."""
    weights = {name: value.contiguous() for name, value in trained.network.state_dict().items()}
    metadata = {
        CONFIG_KEY: json.dumps(config_to_dict(trained.config), sort_keys=True),
        FACTS_KEY: json.dumps(trained.facts, sort_keys=True),
    }
    with written_beside(path) as beside:
        beside.write_bytes(with_sorted_header(save(weights, metadata)))


def with_sorted_header(content: bytes) -> bytes:
    """Sort the header of a safetensors file, whose order is random, so that equal weights give equal bytes.

    A file holds the header's length (8 bytes, little-endian), the header (JSON) and the values.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # the format asks for values that begin at a multiple of 8
    return len(header).to_bytes(8, "little") + header + content[start:]


def _read_safetensors(path: Path) -> tuple[TrainingConfig, dict[str, Any], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    return _config(json.loads(metadata[CONFIG_KEY])), json.loads(metadata[FACTS_KEY]), weights


def _config(content: dict[str, Any]) -> TrainingConfig:
    """Read the configuration of a training run; version 1 read the numbers of the files where it did not normalize."""
    given = content.get("normalization")
    if isinstance(given, dict) and given.get("kind") == "none" and not given.get("units"):
        content = {**content, "normalization": {**given, "units": "as_stored"}}
    return config_from_dict(content)


def _read_checkpoint(path: Path) -> tuple[TrainingConfig, dict[str, Any], dict[str, torch.Tensor]]:
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    weights = {
        name.removeprefix(NETWORK_PREFIX): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith(NETWORK_PREFIX)
    }
    return _config(checkpoint[CONFIG_KEY]), checkpoint.get(FACTS_KEY, {}), weights
