from dataclasses import replace

import pytest

from cpunet.training.config import config_from_dict
from cpunet.training.train import train
from cpunet.training.weights import save_trained
from tests.drawn_data_set import SMALL
from tests.random_network import random_network


@pytest.fixture
def trained():
    """A network of random weights, batch normalization in use, with the facts of a made-up training."""
    return random_network()


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
