import json
import re

import onnx
import pytest

from cpunet.export.card.fields import flattened
from cpunet.model.card import METADATA_KEY
from cpunet.model.card_limits import card_from_json
from cpunet.onnx_reader.metadata import read_card, sha256
from tests.export.card_files import card, metadata_card, put
from tests.tiny_onnx import CARD, changed_card, field, tiny_onnx


def test_edit_changes_the_fields_and_nothing_else(tmp_path, capsys):
    content = changed_card(card_version="1.7", mood="good", output={"color": "red"})
    entries = [field(14, field(1, key) + field(2, "a text")) for key in ("first", "last")]
    own = field(14, field(1, METADATA_KEY) + field(2, json.dumps(content)))
    original = tiny_onnx(card=None) + entries[0] + own + entries[1] + field(99, "of a later ONNX")
    path = put(tmp_path / "model.onnx", original)
    before = sha256(path)
    (tmp_path / "README.md").write_text(f"| model.onnx | `{before}` |")
    changes = {
        "postprocessing.marker_threshold": ("0.3", 0.3),
        "postprocessing.fill_holes": ("true", True),
        "description": ("Nuclei = round, bright", "Nuclei = round, bright"),
        "authors": ("A. Curie, B. Noether", ["A. Curie", "B. Noether"]),
        "output.halo": ("16", 16),
        "input.pixel_size_um": ("0.5", 0.5),
        "input.normalization.clip_high": ("1e1", 10.0),
        "provenance": ('{"seed": 3}', {"seed": 3}),
    }
    words = [word for name, (text, _) in changes.items() for word in ("--set", f"{name}={text}")]
    assert card("edit", path, *words) == 0
    out = capsys.readouterr().out
    assert "postprocessing.marker_threshold: 0.5 -> 0.3\n" in out
    assert "input.pixel_size_um: not given -> 0.5\n" in out
    assert f"SHA-256 before  {before}\nSHA-256 after   {sha256(path)}\n" in out
    assert "README.md names the sum before" in out
    expected = flattened(content) | {name: value for name, (_, value) in changes.items()}
    assert flattened(metadata_card(path)) == expected
    start = original.index(own)
    written = path.read_bytes()
    assert written[:start] == original[:start]
    assert written.endswith(original[start + len(own) :])
    assert len(onnx.load_from_string(written).metadata_props) == 3
    assert card("edit", path, "--set", "input.pixel_size_um=null") == 0
    assert metadata_card(path)["input"]["pixel_size_um"] is None


def test_edit_repairs_a_card_that_is_refused(tmp_path):
    path = put(tmp_path / "model.onnx", tiny_onnx(card=changed_card(postprocessing={"marker_threshold": 1.5})))
    assert card("show", path) == 2
    assert card("edit", path, "--set", "postprocessing.marker_threshold=0.5") == 0
    assert read_card(path) == card_from_json(json.dumps(CARD))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nickname=x", "no field 'nickname'; its fields are name, "),
        ("postprocessing.threshold=0.3", "no field 'postprocessing.threshold'"),
        ("input=x", "no field 'input'"),
        ("card_version=1.1", "no field 'card_version'"),
        ("description", "--set takes FIELD=VALUE"),
        ("output.halo=much", "output.halo should be a whole number; it is 'much'"),
        ("output.halo=1.5", "should be a whole number"),
        ("input.diameter_px=wide", "should be a number"),
        ("postprocessing.fill_holes=yes", "should be true or false"),
        ("postprocessing.fill_holes=1", "fill_holes should be true or false"),
        ("provenance=x", "an object in JSON"),
        ("postprocessing.marker_threshold=1.5", "must lie between 0 and 1"),
        ("postprocessing.min_size_px=nan", "JSON cannot"),
        ("input.pixel_size_um=-1", "schema.*input.pixel_size_um"),
        ("input.diameter_px=500", "diameter_low_px <= diameter_px"),
        ("input.channels=red,green,blue", "has 1 channels and its card names 3"),
        ("output.roles=foreground,border", "has 1 channels and its card names 2"),
    ],
)
def test_edit_refuses_and_leaves_the_file_as_it_was(tiny_model, capsys, change, message):
    before = tiny_model.read_bytes()
    assert card("edit", tiny_model, "--set", change) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert tiny_model.read_bytes() == before
    assert [path.name for path in tiny_model.parent.iterdir()] == ["tiny.onnx"]


def test_edit_of_a_file_without_a_card_names_add(theirs, capsys):
    assert card("edit", theirs, "--set", "name=x") == 2
    assert "cpunet card add" in capsys.readouterr().err
    assert card("edit", theirs.with_name("absent.onnx"), "--set", "name=x") == 2
    assert "no such model file" in capsys.readouterr().err


def test_two_cards_in_one_file_are_not_touched(tmp_path, capsys):
    path = put(tmp_path / "model.onnx", tiny_onnx() + field(14, field(1, METADATA_KEY) + field(2, json.dumps(CARD))))
    assert card("edit", path, "--set", "name=x") == 2
    assert "stands in this file 2 times" in capsys.readouterr().err
