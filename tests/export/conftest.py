from dataclasses import replace

import pytest
import torch

from cpunet.training.config import config_from_dict
from cpunet.training.loop import train
from cpunet.training.weights import TrainedNetwork, build_network, save_trained
from tests.drawn_data_set import SMALL

FACTS = {
    "data": [{"name": "drawn", "images": 1, "objects": 9, "sha256": "0" * 64}],
    "diameter_px": 20.0,
    "diameter_low_px": 8.0,
    "diameter_high_px": 50.0,
    "commit": "abc",
}


@pytest.fixture
def trained():
    """A network of random weights, batch normalisation in use, with the facts of a made-up training."""
    torch.manual_seed(0)
    config = config_from_dict(
        {
            "name": "small",
            "description": "Drawn nuclei.",
            "licence": "CC0-1.0",
            "data": [{"folder": "drawn", "licence": "CC0-1.0", "source": "drawn by the tests"}],
            "architecture": {"base_channels": 8, "depth": 2, "max_channels": 16},
        }
    )
    network = build_network(config)
    torch.nn.init.normal_(network.head.weight)  # a new network's head is nearly silent, and hides every difference
    for _ in range(5):
        network(torch.rand(4, 1, 32, 32))  # gives batch normalisation means and variances of its own
    return TrainedNetwork(network.eval(), config, FACTS)


@pytest.fixture
def weights(trained, tmp_path):
    """The same as a file."""
    path = tmp_path / "trained.safetensors"
    save_trained(path, trained)
    return path


@pytest.fixture(scope="module")
def weights_of_drawn(data_root, tmp_path_factory):
    """Weights of a short, real training."""
    config = replace(config_from_dict(SMALL), steps=300, validate_every=300)
    return train(config, data_root, tmp_path_factory.mktemp("run"))
