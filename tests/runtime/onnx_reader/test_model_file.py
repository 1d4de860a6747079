import hashlib
import os

import pytest

from cpunet.errors import ModelError
from cpunet.onnx_reader import model_file
from cpunet.onnx_reader.model_file import read_model_file, state_of


def test_content_and_sum_belong_together(tiny_model):
    file = read_model_file(tiny_model)
    tiny_model.write_bytes(b"something else")
    assert file.sha256 == hashlib.sha256(file.content).hexdigest()
    assert file.stream().read() == file.content != tiny_model.read_bytes()


def test_a_file_that_is_replaced_has_another_state(tiny_model, tmp_path):
    file = read_model_file(tiny_model)
    assert state_of(tiny_model) == file.state
    beside = tmp_path / "beside"
    beside.write_bytes(file.content)
    os.utime(str(beside), ns=(file.state[0], file.state[0]))
    os.replace(str(beside), str(tiny_model))
    assert state_of(tiny_model) != file.state


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such model file"),
        (lambda path: path.mkdir(), "this is a folder"),
        (lambda path: os.mkfifo(str(path)), "no such model file"),
        (lambda path: path.touch(), "is empty"),
    ],
    ids=["absent", "folder", "pipe", "empty"],
)
def test_what_is_no_model_file_says_so(tmp_path, make, message):
    path = tmp_path / "model.onnx"
    make(path)
    with pytest.raises(ModelError, match=message) as caught:
        read_model_file(path)
    assert str(path) in str(caught.value)


def test_a_file_that_grows_while_it_is_read_is_refused(tiny_model, monkeypatch):
    monkeypatch.setattr(model_file, "LARGEST_FILE_BYTES", tiny_model.stat().st_size - 1)
    with pytest.raises(ModelError, match="Choose a smaller network"):
        read_model_file(tiny_model)
