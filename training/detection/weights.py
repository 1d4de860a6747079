"""Trained weights of Mask R-CNN on disk: checkpoints of a run, and the safetensors file that is kept and shared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchvision.models.detection import MaskRCNN

from cpunet.training.config import config_to_dict
from cpunet.training.detection.config import DetectionConfig
from cpunet.training.detection.network import build_detector
from cpunet.training.weights import DETECTION_KEY, FACTS_KEY, detection_config, read_stored, write_stored


@dataclass(frozen=True)
class TrainedDetector:
    """Mask R-CNN with what is known of its training.

    Attributes
    ----------
    network : MaskRCNN
        In evaluation mode.
    config : DetectionConfig
    facts : dict
        What `cpunet.training.facts.training_facts` found in the data.
    """

    network: MaskRCNN
    config: DetectionConfig
    facts: dict[str, Any]


def load_detector(path: Path) -> TrainedDetector:
    """Read a checkpoint (``*.ckpt``) of a run, or a ``*.safetensors`` file, without running code from it.

    WeightsError if the file is missing, or was not written by `cpunet train-detection`.
    """
    config, facts, weights = read_stored(Path(path), DETECTION_KEY, detection_config, "cpunet train-detection")
    network = build_detector(config.detector)
    network.load_state_dict(weights)
    return TrainedDetector(network.eval(), config, facts)


def save_detector(path: Path, trained: TrainedDetector) -> None:
    """Write weights, configuration and facts into one safetensors file."""
    write_stored(path, trained.network, {DETECTION_KEY: config_to_dict(trained.config), FACTS_KEY: trained.facts})
