import contextlib
import random

import pytest

from cpunet.errors import ModelError
from cpunet.onnx_reader.metadata import read_card, sha256
from tests.tiny_onnx import changed_card, tiny_onnx


def written(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return path


def test_the_card_is_read_without_onnxruntime(tiny_model):
    assert read_card(tiny_model).name == "tiny"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello, this is a text file", "no ONNX model"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no ONNX model"),
        (tiny_onnx()[:-10], "no ONNX model, or one that was cut short"),
        (tiny_onnx()[:30], "no ONNX model"),
        (tiny_onnx(card=None), "no cpunet model card"),
        (tiny_onnx(card="{"), "not readable JSON"),
        (tiny_onnx(card=changed_card(card_version="2.0")), "Update the plugin"),
    ],
    ids=["empty", "text", "picture", "truncated", "truncated early", "no card", "broken card", "newer major version"],
)
def test_files_that_cannot_be_used_say_why(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(ModelError, match=message) as caught:
        read_card(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        read_card(tmp_path / "absent.onnx")


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="this is a folder"):
        read_card(tmp_path)


def test_mutated_files_raise_one_kind_of_error_and_never_hang(tmp_path):
    chance = random.Random(0)
    original = tiny_onnx()
    for _ in range(500):
        content = bytearray(original)
        for _ in range(chance.randint(1, 8)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path = written(tmp_path, bytes(content[: chance.randint(1, len(content))]))
        with contextlib.suppress(ModelError):
            read_card(path)


def test_sha256(tmp_path):
    path = written(tmp_path, b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
