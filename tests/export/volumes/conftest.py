import pytest

from cpunet.export.export_model import export_model
from cpunet.training.volumes.weights import save_trained_volumes
from tests.labeled_volumes import write_volumes
from tests.random_volume_network import random_volume_network

SIZES = {"depth": 8, "pixel_size_um": 0.5, "z_step_um": 1.0}


@pytest.fixture(scope="session")
def trained_volumes():
    """A network of volumes of random weights, with the facts of a made-up training."""
    return random_volume_network()


@pytest.fixture(scope="session")
def volume_weights(trained_volumes, tmp_path_factory):
    """The same as a file."""
    path = tmp_path_factory.mktemp("trained") / "trained.safetensors"
    save_trained_volumes(path, trained_volumes)
    return path


@pytest.fixture(scope="session")
def exported_volumes(volume_weights, tmp_path_factory):
    """The model file of it, with weights and README beside it."""
    path = tmp_path_factory.mktemp("models") / "small_3d" / "model.onnx"
    export_model(volume_weights, path, rebuild="make it && make it again")
    return path


@pytest.fixture(scope="session")
def volumes_root(tmp_path_factory):
    """A folder that holds the data set balls: two volumes to train on and two for validation, planes 2 pixels apart."""
    root = tmp_path_factory.mktemp("data")
    rows = [{"id": name, "split": split, **SIZES} for name, split in zip("abcd", ["train", "train", "val", "val"])]
    write_volumes(root / "balls", rows)
    return root
