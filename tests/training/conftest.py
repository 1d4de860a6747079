from pathlib import Path

import pytest
import torch

from cpunet.training.config import config_from_dict
from tests.random_network import random_network
from tests.synthetic_data_set import SMALL


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small networks are quicker on one thread, and a test run beside others far quicker."""
    torch.set_num_threads(1)


@pytest.fixture
def small_config():
    """A training run of seconds."""
    return config_from_dict(SMALL)


@pytest.fixture
def small_yaml(tmp_path):
    """The same as a file."""
    import yaml

    path = Path(tmp_path) / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture
def trained():
    """A network of random weights, batch normalization in use, with the facts of a made-up training."""
    return random_network()
