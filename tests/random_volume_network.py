"""A network of volumes with random weights, and what it would be told of its training."""

import torch

from cpunet.training.config import config_from_dict
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.weights import TrainedVolumeNetwork, build_volume_network

FACTS = {
    "data": [
        {"name": "balls", "images": 2, "objects": 6, "sha256": "0" * 64, "image_diameter_px": 9.0, "z_step_px": 2.0}
    ],
    "diameter_px": 9.0,
    "diameter_low_px": 7.0,
    "diameter_high_px": 14.0,
    "z_step_px": 2.0,
    "commit": "abc",
}


def random_volume_network(facts=FACTS, **changes):
    """A network of volumes of random weights, batch normalization in use; fields of the configuration can be given."""
    torch.manual_seed(0)
    config = config_from_dict(
        {
            "name": "small_3d",
            "description": "Drawn balls.",
            "licence": "CC0-1.0",
            "data": [{"folder": "balls", "licence": "CC0-1.0", "source": "drawn by the tests"}],
            "architecture": {"base_channels": 4, "depth": 2, "max_channels": 8, "flat_levels": 1},
            "z_step_px": 2.0,
            "patch_planes": 8,
            "patch_size": 24,
            **changes,
        },
        VolumeConfig,
    )
    network = build_volume_network(config)
    torch.nn.init.normal_(network.head.weight)  # a new network's head is nearly silent, and hides every difference
    for _ in range(5):
        network(torch.rand(2, len(config.channels), 8, 16, 16))  # gives batch normalization statistics of its own
    return TrainedVolumeNetwork(network.eval(), config, facts)
