import pytest

from tests.tiny_onnx import tiny_onnx


@pytest.fixture
def tiny_model(tmp_path):
    """The path of a model that calls bright pixels foreground."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx())
    return path
