"""Weights on disk: checkpoints of a run, and the safetensors file that is kept and shared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from cpunet.errors import WeightsError
from cpunet.files.written_beside import written_beside
from cpunet.training.config import Config, TrainingConfig, config_from_dict, config_to_dict
from cpunet.training.detection.config import DetectionConfig
from cpunet.training.network.build import build_network
from cpunet.training.network.unet import UNet
from cpunet.training.volumes.config import VolumeConfig

KEY_PREFIX = "cpunet_"
CONFIG_KEY, FACTS_KEY = f"{KEY_PREFIX}config", f"{KEY_PREFIX}facts"
# In place of `CONFIG_KEY`, in what `cpunet train-detection` writes.
DETECTION_KEY = f"{KEY_PREFIX}detection_config"
# In place of `CONFIG_KEY`, in what `cpunet train-volumes` writes.
VOLUME_KEY = f"{KEY_PREFIX}volume_config"
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
    try:
        config, facts, weights = read_stored(Path(path), CONFIG_KEY, _config, "cpunet train")
    except WeightsError:
        kind = stored_key(path)
        if kind == DETECTION_KEY:
            raise WeightsError(
                f"{path}: this is a Mask R-CNN of `cpunet train-detection`, which cannot be used here. `cpunet export` "
                "writes it as an .onnx file, which `cpunet evaluate`, `segment` and the module take."
            ) from None
        if kind == VOLUME_KEY:
            raise WeightsError(
                f"{path}: this is a network of volumes, of `cpunet train-volumes`, which cannot be used here: images "
                "are needed. `cpunet evaluate` and `cpunet export` take it."
            ) from None
        raise
    network = build_network(config)
    network.load_state_dict(weights)
    return TrainedNetwork(network.eval(), config, facts)


@dataclass(frozen=True)
class StoredTraining:
    """What a file of weights says of its training, whatever the network.

    Attributes
    ----------
    config : TrainingConfig, DetectionConfig or VolumeConfig
    facts : dict
        What `cpunet.training.facts.training_facts` found in the data.
    """

    config: TrainingConfig | DetectionConfig | VolumeConfig
    facts: dict[str, Any]


def load_training(path: Path) -> StoredTraining:
    """Read what a checkpoint or a safetensors file says of its training; WeightsError if it says nothing."""
    kind = stored_key(path)
    if kind == DETECTION_KEY:
        config, facts, _ = read_stored(Path(path), DETECTION_KEY, detection_config, "cpunet train-detection")
    elif kind == VOLUME_KEY:
        config, facts, _ = read_stored(Path(path), VOLUME_KEY, volume_config, "cpunet train-volumes")
    else:
        config, facts, _ = read_stored(Path(path), CONFIG_KEY, _config, "cpunet train")
    return StoredTraining(config, facts)


def read_stored(
    path: Path, config_key: str, config_from: Callable[[dict[str, Any]], Config], command: str
) -> tuple[Config, dict[str, Any], dict[str, torch.Tensor]]:
    """Read the configuration, the facts and the weights of a checkpoint or a safetensors file.

    Parameters
    ----------
    path : Path
    config_key : str
        Under which the configuration is stored; it tells what kind of network a file holds.
    config_from : callable
        Builds the configuration from its plain content.
    command : str
        What writes such files, for the message.

    Raises
    ------
    WeightsError
        If the file is missing, or holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file.")
    try:
        stored, weights = _read_safetensors(path) if path.suffix == ".safetensors" else _read_checkpoint(path)
        return config_from(stored[config_key]), stored.get(FACTS_KEY, {}), weights
    except Exception as error:  # torch's reader meets a broken file with almost any exception
        # What follows the first sentence is torch's advice to programmers, such as to run the file's code.
        reason = re.split(r"\. |\n", str(error), maxsplit=1)[0].rstrip(".")
        raise WeightsError(
            f"{path}: this holds no weights that `{command}` wrote ({type(error).__name__}: {reason}). Give the "
            f"{WEIGHTS_FILE} of a run."
        ) from None


def detection_config(content: dict[str, Any]) -> DetectionConfig:
    """Build the configuration of a training of Mask R-CNN from its plain content."""
    return config_from_dict(content, DetectionConfig)


def volume_config(content: dict[str, Any]) -> VolumeConfig:
    """Build the configuration of a training on volumes from its plain content."""
    return config_from_dict(content, VolumeConfig)


def holds_detector(path: Path) -> bool:
    """Return whether a file holds what `cpunet train-detection` wrote; False if it cannot be read."""
    return stored_key(path) == DETECTION_KEY


def holds_volumes(path: Path) -> bool:
    """Return whether a file holds what `cpunet train-volumes` wrote; False if it cannot be read."""
    return stored_key(path) == VOLUME_KEY


def stored_key(path: Path) -> str:
    """Return under which key a file holds its configuration, which tells what wrote it; empty if it cannot be read."""
    path = Path(path)
    try:
        stored = _read_metadata(path) if path.suffix == ".safetensors" else _read_checkpoint(path)[0]
    except Exception:  # torch's reader meets a broken file with almost any exception
        return ""
    return next((key for key in (CONFIG_KEY, DETECTION_KEY, VOLUME_KEY) if key in stored), "")


def save_trained(path: Path, trained: TrainedNetwork) -> None:
    """Write weights, configuration and facts into one safetensors file."""
    write_stored(path, trained.network, {CONFIG_KEY: config_to_dict(trained.config), FACTS_KEY: trained.facts})


def write_stored(path: Path, network: torch.nn.Module, content: Mapping[str, Any]) -> None:
    """Write a network's weights, and plain content by its keys, into one safetensors file."""
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    metadata = {key: json.dumps(value, sort_keys=True) for key, value in content.items()}
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


def _config(content: dict[str, Any]) -> TrainingConfig:
    """Read the configuration of a training run; version 1 read the numbers of the files where it did not normalize."""
    given = content.get("normalization")
    if isinstance(given, dict) and given.get("kind") == "none" and not given.get("units"):
        content = {**content, "normalization": {**given, "units": "as_stored"}}
    return config_from_dict(content)


def _read_metadata(path: Path) -> dict[str, Any]:
    """Read what a safetensors file says beside its weights, without reading these."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    return {key: json.loads(text) for key, text in metadata.items() if key.startswith(KEY_PREFIX)}


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    return _read_metadata(path), weights


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    weights = {
        name.removeprefix(NETWORK_PREFIX): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith(NETWORK_PREFIX)
    }
    return checkpoint, weights
