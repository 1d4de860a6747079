import pytest

from cpunet.errors import ModelError
from cpunet.model.card import METADATA_KEY
from cpunet.onnx_reader.metadata import read_metadata
from cpunet.onnx_reader.write_metadata import with_metadata
from tests.tiny_onnx import field, tiny_onnx


@pytest.mark.parametrize("text", ["", "short", "ä" * 300, "x" * 70_000])
def test_an_entry_is_replaced_and_all_else_keeps_its_bytes(tmp_path, text):
    other, path = field(14, field(1, "other") + field(2, "kept")), tmp_path / "model.onnx"
    content = tiny_onnx() + other
    changed = with_metadata(content, METADATA_KEY, text)
    path.write_bytes(changed)
    assert read_metadata(path) == {METADATA_KEY: text, "other": "kept"}
    entry = field(14, field(1, METADATA_KEY) + field(2, text))
    assert changed.count(entry) == 1
    before, after = changed.split(entry)
    assert content.startswith(before)
    assert content.endswith(after)
    assert after.endswith(other)


def test_a_new_entry_comes_last():
    content = tiny_onnx()
    assert with_metadata(content, "new", "text") == content + field(14, field(1, "new") + field(2, "text"))


def test_the_key_may_stand_behind_the_value():
    entry = field(14, field(2, "old") + field(1, "key"))
    assert with_metadata(tiny_onnx() + entry, "key", "new") == tiny_onnx() + field(
        14, field(1, "key") + field(2, "new")
    )


def test_two_entries_of_one_key_or_a_damaged_file_are_refused():
    entry = field(14, field(1, "key") + field(2, "old"))
    with pytest.raises(ModelError, match="stands in this file 2 times"):
        with_metadata(tiny_onnx() + 2 * entry, "key", "new")
    with pytest.raises(ModelError, match="damaged"):
        with_metadata(tiny_onnx()[:-3], "key", "new")
