"""What is slow to make is made once for all tests of export: no test may change it."""

from dataclasses import replace

import pytest

from cpunet.export.export_model import export_model
from cpunet.training.config import config_from_dict
from cpunet.training.network.unet import Probabilities
from cpunet.training.train import train
from cpunet.training.weights import save_trained
from tests.random_network import random_network
from tests.synthetic_data_set import SMALL


@pytest.fixture(scope="session")
def trained():
    """A network of random weights, batch normalization in use, with the facts of a made-up training."""
    return random_network()


@pytest.fixture(scope="session")
def network(trained):
    """The same with probabilities as its output."""
    return Probabilities(trained.network, "sigmoid").eval()


@pytest.fixture(scope="session")
def weights(trained, tmp_path_factory):
    """The same as a file."""
    path = tmp_path_factory.mktemp("trained") / "trained.safetensors"
    save_trained(path, trained)
    return path


@pytest.fixture(scope="session")
def exported(weights, tmp_path_factory):
    """The model file of it, with weights and README beside it."""
    path = tmp_path_factory.mktemp("models") / "small" / "model.onnx"
    export_model(weights, path, rebuild="make it && make it again")
    return path


@pytest.fixture(scope="session")
def weights_of_drawn(data_root, tmp_path_factory):
    """Weights of a short, real training."""
    config = replace(config_from_dict(SMALL), steps=300, validate_every=300)
    return train(config, data_root, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def drawn_model(weights_of_drawn, data_root, tmp_path_factory):
    """The model file of it, tuned and scored."""
    path = tmp_path_factory.mktemp("models") / "drawn" / "model.onnx"
    export_model(weights_of_drawn, path, data_root)
    return path
