import pytest

from cpunet.model.session import load_model
from tests.tiny_volumes import tiny_volume_onnx


@pytest.fixture
def volume_model(tmp_path):
    """A model of volumes that calls bright voxels foreground; trained on objects of 10 to 40 pixels, 20 as a rule."""
    path = tmp_path / "tiny_3d.onnx"
    path.write_bytes(tiny_volume_onnx())
    return load_model(path, "cpu")
