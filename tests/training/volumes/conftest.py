import pytest

from cpunet.training.config import config_from_dict
from cpunet.training.volumes.config import VolumeConfig
from tests.labeled_volumes import write_volumes

SMALL = {
    "name": "small",
    "data": [{"folder": "balls"}],
    "architecture": {"base_channels": 8, "depth": 2, "max_channels": 16},
    "targets": {"kind": "foreground_border"},
    "augmentation": "gentle",
    "patch_planes": 8,
    "patch_size": 24,
    "steps": 6,
    "validate_every": 3,
    "workers": 0,
    "precision": "32-true",
    "learning_rate": 0.01,
}
SIZES = {"depth": 8, "pixel_size_um": 0.5, "z_step_um": 1.0}


@pytest.fixture
def volume_root(tmp_path):
    """A folder that holds the data set balls: two volumes to train on and one for validation, planes 2 pixels apart."""
    rows = [{"id": name, "split": split, **SIZES} for name, split in (("a", "train"), ("b", "train"), ("c", "val"))]
    write_volumes(tmp_path / "data" / "balls", rows)
    return tmp_path / "data"


@pytest.fixture
def volume_config():
    """A training run of seconds."""
    return config_from_dict(SMALL, VolumeConfig)
