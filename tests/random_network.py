"""A network of random weights, and what it would be told of its training."""

import torch

from cpunet.training.config import config_from_dict
from cpunet.training.network.build import build_network
from cpunet.training.weights import TrainedNetwork

FACTS = {
    "data": [{"name": "drawn", "images": 1, "objects": 9, "sha256": "0" * 64}],
    "diameter_px": 20.0,
    "diameter_low_px": 8.0,
    "diameter_high_px": 50.0,
    "commit": "abc",
}


def random_network(**architecture):
    """A network of random weights, batch normalization in use, with the facts of a made-up training.

    Fields of the architecture can be given.
    """
    torch.manual_seed(0)
    config = config_from_dict(
        {
            "name": "small",
            "description": "Drawn nuclei.",
            "licence": "CC0-1.0",
            "data": [{"folder": "drawn", "licence": "CC0-1.0", "source": "drawn by the tests"}],
            "architecture": {"base_channels": 8, "depth": 2, "max_channels": 16, **architecture},
        }
    )
    network = build_network(config)
    torch.nn.init.normal_(network.head.weight)  # a new network's head is nearly silent, and hides every difference
    for _ in range(5):
        network(torch.rand(4, 1, 32, 32))  # gives batch normalization means and variances of its own
    return TrainedNetwork(network.eval(), config, FACTS)
