import pytest

from tests.export.card_files import put
from tests.tiny_onnx import tiny_onnx


@pytest.fixture
def theirs(tmp_path):
    """A file without a card, of one channel in and out."""
    return put(tmp_path / "theirs.onnx", tiny_onnx(card=None))
