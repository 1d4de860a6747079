import pytest

from cpunet.model.session import load_model
from tests.tiny_instances import instances_onnx


@pytest.fixture
def blob_model(tmp_path):
    """A model that finds bright blobs."""
    path = tmp_path / "blobs.onnx"
    path.write_bytes(instances_onnx())
    return load_model(path, "cpu")
