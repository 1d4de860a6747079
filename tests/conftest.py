import pytest

from tests.drawn_data_set import write_data_set
from tests.tiny_onnx import tiny_onnx


@pytest.fixture
def tiny_model(tmp_path):
    """The path of a model that calls bright pixels foreground."""
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx())
    return path


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """A folder with one small data set, `drawn`."""
    root = tmp_path_factory.mktemp("data")
    write_data_set(root / "drawn", ["train"] * 6 + ["val"] * 3)
    return root
