from dataclasses import replace

import pytest

from cpunet.training.config import DataSource
from tests.synthetic_data_set import write_data_set


@pytest.fixture(scope="session")
def eight(tmp_path_factory):
    """A folder with one set of eight drawn fields."""
    root = tmp_path_factory.mktemp("folds") / "data"
    write_data_set(root / "drawn", ["train"] * 6 + ["val"] * 2)
    return root


@pytest.fixture
def short(small_config):
    """A training of a few steps."""
    return replace(small_config, data=(DataSource("drawn"),), steps=6, validate_every=3, batch_size=2)
