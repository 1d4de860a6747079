"""The rows of the comparison: what each changes in common.yaml, and what each costs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cpunet.training.config import TrainingConfig, config_from_dict, read_content
from cpunet.training.network.build import build_network
from cpunet.training.network.summary import count_macs, measure_receptive_field

COMMON = Path(__file__).with_name("common.yaml")
LITE = {"encoder": "efficientnet_lite0"}
# Architecture, and pretrained weights. The U-Net as published has two convolutions a level on its way up.
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "plain": ({}, ""),
    "residual": ({"encoder": "residual"}, ""),
    "bottleneck": ({"encoder": "bottleneck"}, ""),
    "preactivation": ({"encoder": "preactivation"}, ""),
    "concatenating": ({"decoder": "concatenating", "decoder_convolutions": 2}, ""),
    "efficientnet_lite0": (LITE, ""),
    "efficientnet_lite0_pretrained": (LITE, "imagenet"),
}
# Networks that are not trained here, whose cost is of interest.
ALSO_COST: dict[str, dict[str, Any]] = {
    "fpn": {"decoder": "fpn"},
    "efficientnet_lite0, fpn": {**LITE, "decoder": "fpn"},
    "efficientnet_lite0, stem full": {**LITE, "stem": "full"},
    "resnet18": {"encoder": "resnet18"},
    "resnet50": {"encoder": "resnet50"},
    "resnet50, fpn": {"encoder": "resnet50", "decoder": "fpn"},
    "resnet50, stem full": {"encoder": "resnet50", "stem": "full"},
}


def config_of(name: str, seed: int, steps: int | None = None) -> TrainingConfig:
    """Return the configuration of a row of `ROWS`, of other steps if they are given."""
    architecture, pretrained = ROWS[name]
    content = read_content(COMMON)
    content["architecture"].update(architecture)
    content.update(name=name, seed=seed, pretrained=pretrained)
    config = config_from_dict(content)
    return config if steps is None else replace(config, steps=steps, validate_every=min(config.validate_every, steps))


def costs() -> dict[str, dict[str, int]]:
    """Count ``parameters``, ``macs_per_pixel`` and ``receptive_field_px`` of all networks; nothing is computed."""
    common = read_content(COMMON)
    networks = {**{name: changes for name, (changes, pretrained) in ROWS.items() if not pretrained}, **ALSO_COST}
    return {
        name: cost_of(config_from_dict({**common, "architecture": {**common["architecture"], **changes}}))
        for name, changes in networks.items()
    }


def cost_of(config: TrainingConfig) -> dict[str, int]:
    """Count the cost of a configuration's network."""
    network = build_network(config)
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "macs_per_pixel": round(count_macs(network, config.patch_size) / config.patch_size**2),
        "receptive_field_px": measure_receptive_field(network),
    }
