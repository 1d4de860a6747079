import argparse
import json
import re
import shlex
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cpunet.__main__ import main
from cpunet.checks.stored_test import STORED_TEST_KEY
from cpunet.export.card.fields import card_fields, flattened
from cpunet.export.card.schema import schema_errors
from cpunet.export.commands import card as card_command
from cpunet.model.card import METADATA_KEY, card_from_json, card_to_json
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, read_metadata, sha256
from tests.places import REPOSITORY
from tests.tiny_onnx import CARD, changed_card, field, tiny_onnx

DOCS = REPOSITORY / "docs" / "model-card.md"
ANSWERS = [
    *("--name", "theirs", "--description", "Nuclei.", "--licence", "MIT", "--channels", "nuclei"),
    *("--modality", "fluorescence", "--percentiles", "1", "99", "--diameter", "18", "--roles", "foreground"),
]
YAML = """
name: theirs
description: Nuclei.
licence: MIT
input:
  channels: [nuclei]
  modality: fluorescence
  normalization: {kind: percentile, percentile_low: 2e0, percentile_high: 98}
  diameter_px: 18
output: {roles: [foreground], halo: 8}
"""


def card(*words):
    """Run ``cpunet card`` with these words."""
    return main(["card", *map(str, words)])


def put(path, content):
    path.write_bytes(content)
    return path


@pytest.fixture
def theirs(tmp_path):
    """A file without a card, of one channel in and out."""
    return put(tmp_path / "theirs.onnx", tiny_onnx(card=None))


def network_file(path, nodes, shape=("N", 1, "Y", "X"), out_shape=None, kind=TensorProto.FLOAT, opset=17, weights=()):
    """Write a network of these nodes, from `image` to `probabilities`."""
    image = helper.make_tensor_value_info("image", kind, shape)
    probabilities = helper.make_tensor_value_info("probabilities", kind, out_shape or shape)
    graph = helper.make_graph(list(nodes), "drawn", [image], [probabilities], initializer=list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return put(path, model.SerializeToString())


def same():
    return [helper.make_node("Identity", ["image"], ["probabilities"])]


def metadata_card(path):
    return json.loads(read_metadata(path)[METADATA_KEY])


def test_the_page_says_what_the_card_says(tmp_path, capsys):
    content = changed_card(
        version="3.1.4",
        authors=["A. Curie", "B. Noether"],
        citation="doi:10.1/2",
        input={
            "channels": ["red", "green", "blue"],
            "divisible_by": 11,
            "min_size": 33,
            "normalization": {"percentile_low": 1.5, "percentile_high": 98.5, "clip_high": 6.5},
            "diameter_px": 21.5,
            "diameter_low_px": 12.5,
            "diameter_high_px": 43.5,
            "pixel_size_um": 0.325,
        },
        output={"roles": ["foreground", "distance"], "halo": 77},
        postprocessing={
            "foreground_threshold": 0.55,
            "marker_threshold": 0.35,
            "marker_min_size_px": 19,
            "min_size_px": 29,
            "dilation_px": 2.5,
            "fill_holes": True,
        },
        provenance={
            "data": [{"name": "my set", "images": 98, "objects": 11181, "licence": "CC0", "sha256": "5" * 64}],
            "seed": 7,
            "commit": "50cf7f542fed",
            "command": "cpunet train x.yaml && cpunet export y",
            "start_from": {"name": "another", "sha256": "6" * 64},
        },
        scores={"set a": {"images": 50, "mean_f1": 0.9027, "mood": 0.5}, "set b": {"mean_f1": 0.5}},
        mood="good",
    )
    path = put(tmp_path / "model.onnx", tiny_onnx(card=content, channels=3, out_channels=2))
    assert card("show", path) == 0
    page = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in page.splitlines()]
    words = " ".join(page.split())
    for expected in (
        *(
            "tiny 3.1.4",
            "A sigmoid of the normalized intensity.",
            "Licence CC0-1.0",
            "A. Curie, B. Noether",
            "doi:10.1/2",
        ),
        *("channels red, green, blue; gray images too", "modality fluorescence", "0.325 micrometers"),
        *("percentiles 1.5 and 98.5 of each", "between -1 and 6.5", "multiples of 11 pixels, 33 or more"),
        *(
            "21.5 pixels in diameter; no rescaling from 12.5 to 43.5",
            "distance 0 at an object's edge",
            "halo 77 pixels",
        ),
        *("foreground above 0.55, markers above 0.35", "at least 19 pixels", "objects of at least 29", "grown by 2.5"),
        *("holes in an object filled", "my set 98 images; 11181 objects; CC0 SHA-256 " + "5" * 64, "seed 7"),
        *("commit 50cf7f542fed", "fine-tuned from another SHA-256 " + "6" * 64, 'mood "good"', sha256(path), str(path)),
    ):
        assert expected in words, expected
    assert "set images mean F1 mood" in lines
    assert "set a 50 0.903 0.500" in lines
    assert "set b - 0.500 -" in lines
    assert [line for line in lines if line.startswith("cpunet ")] == ["cpunet train x.yaml", "cpunet export y"]


def test_show_finds_a_model_by_its_name_and_prints_its_json(tmp_path, monkeypatch, capsys):
    content = changed_card(card_version="1.7", mood="good")
    (tmp_path / "mine").mkdir()
    put(tmp_path / "mine" / "model.onnx", tiny_onnx(card=content))
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path))
    assert card("show", "mine", "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out) == content
    assert '\n  "card_version": "1.7"' in out
    assert card("show", "absent") == 2
    assert "There is no model 'absent'" in capsys.readouterr().err


def test_a_page_of_the_least_that_a_card_may_hold(tiny_model, capsys):
    assert card("show", tiny_model) == 0
    assert "none given" in capsys.readouterr().out


def test_add_by_flags(theirs, capsys):
    before, expected = theirs.read_bytes(), load_model(put(theirs.with_name("own.onnx"), tiny_onnx()))
    sum_before = sha256(theirs)
    theirs.chmod(0o640)
    assert card("add", theirs, *ANSWERS, "--marker-threshold", "0.3", "--halo", "12", "--no-fill-holes") == 0
    out = capsys.readouterr().out
    assert f"SHA-256 before  {sum_before}\nSHA-256 after   {sha256(theirs)}\n" in out
    assert "divisible_by: 1, measured" in out
    assert "halo" not in out
    after = theirs.read_bytes()
    assert after[: len(before)] == before
    assert {entry.key for entry in onnx.load(theirs).metadata_props} == {METADATA_KEY, STORED_TEST_KEY}
    assert theirs.stat().st_mode & 0o777 == 0o640
    written = read_card(theirs)
    assert (written.name, written.version, written.licence) == ("theirs", "1.0.0", "MIT")
    assert (written.input.normalization.percentile_low, written.input.normalization.percentile_high) == (1, 99)
    assert (written.input.diameter_low_px, written.input.diameter_px, written.input.diameter_high_px) == (10, 18, 36)
    assert (written.output.halo, written.postprocessing.marker_threshold) == (12, 0.3)
    assert schema_errors(metadata_card(theirs)) == []
    assert metadata_card(theirs) == json.loads(card_to_json(written))  # written out in full
    image = np.random.default_rng(0).random((1, 1, 16, 24), np.float32)
    np.testing.assert_array_equal(load_model(theirs).predict(image), expected.predict(image))
    assert sorted(path.name for path in theirs.parent.iterdir()) == ["own.onnx", "theirs.onnx"]


def test_add_by_yaml_and_flags_win(theirs):
    answers = theirs.with_name("answers.yaml")
    answers.write_text(YAML)
    assert (
        card("add", theirs, "--yaml", answers, "--diameter", "30", "--diameter-range", "20", "50", "--name", "b") == 0
    )
    written = read_card(theirs)
    assert (written.name, written.description) == ("b", "Nuclei.")
    assert (written.input.normalization.percentile_low, written.input.normalization.percentile_high) == (2, 98)
    assert (written.input.diameter_low_px, written.input.diameter_px, written.input.diameter_high_px) == (20, 30, 50)
    assert written.output.halo == 8


def test_percentiles_by_flag_win_over_none_in_yaml(theirs):
    answers = theirs.with_name("answers.yaml")
    answers.write_text(YAML.replace("kind: percentile", "kind: none"))
    assert card("add", theirs, "--yaml", answers, "--percentiles", "3", "97") == 0
    normalization = read_card(theirs).input.normalization
    assert (normalization.kind, normalization.percentile_low) == ("percentile", 3)


def test_every_field_of_the_card_has_a_flag():
    parser = argparse.ArgumentParser()
    card_command.add_answers(parser)
    names = set(vars(parser.parse_args([])))
    by_pairs = {"input.normalization.percentile_low", "input.normalization.percentile_high"}
    by_pairs |= {"input.diameter_low_px", "input.diameter_high_px"}
    assert card_fields().keys() - names == by_pairs | {"provenance", "scores"}
    assert {"percentiles", "diameter_range"} <= names


def test_all_that_is_missing_is_asked_for_at_once(tmp_path, capsys):
    path = put(tmp_path / "theirs.onnx", tiny_onnx(card=None, channels=2, out_channels=3))
    assert card("add", path, "--licence", "MIT") == 2
    error = capsys.readouterr().err
    assert "7 answers are missing; the network has 2 input channels and 3 output channels" in error
    asked = re.findall(r"^    (--\S+)", error, re.M)
    flags = ["--name", "--description", "--channels", "--modality", "--diameter", "--roles", "--percentiles"]
    assert sorted(asked) == sorted(flags)
    assert card("add", path, *ANSWERS[:-7], "--normalization", "none") == 2
    assert re.findall(r"^    (--\S+)", capsys.readouterr().err, re.M) == ["--diameter", "--roles", "--halo"]


def test_sizes_and_halo_are_measured(tmp_path, capsys):
    """A mean of 9x9 pixels, then of 4x4 that do not overlap: multiples of 4 pixels, and a reach of 7."""
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 4, 4])
    nodes = [
        helper.make_node("AveragePool", ["image"], ["smooth"], kernel_shape=[9, 9], pads=[4, 4, 4, 4]),
        helper.make_node("AveragePool", ["smooth"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Resize", ["small", "", "scales"], ["probabilities"], mode="nearest"),
    ]
    path = network_file(tmp_path / "theirs.onnx", nodes, out_shape=("N", 1, "Y2", "X2"), weights=[scales])
    assert card("add", path, *ANSWERS) == 0
    assert (read_card(path).input.divisible_by, read_card(path).output.halo) == (4, 8)
    assert "whole image" not in capsys.readouterr().out


def test_the_smallest_size_is_measured(tmp_path):
    """Mirrored borders of 5 pixels need at least 6, and powers of two are tried."""
    pads = helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 5, 5, 0, 0, 5, 5])
    nodes = [
        helper.make_node("Pad", ["image", "pads"], ["padded"], mode="reflect"),
        helper.make_node("AveragePool", ["padded"], ["probabilities"], kernel_shape=[11, 11]),
    ]
    path = network_file(tmp_path / "theirs.onnx", nodes, out_shape=("N", 1, "Y2", "X2"), weights=[pads])
    assert card("add", path, *ANSWERS, "--halo", "8") == 0
    assert (read_card(path).input.divisible_by, read_card(path).input.min_size) == (1, 8)


def test_a_network_that_looks_at_the_whole_image_is_pointed_out(tmp_path, capsys):
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["brightest"], axes=[2, 3]),
        helper.make_node("Mul", ["image", "brightest"], ["product"]),
        helper.make_node("Clip", ["product", "low", "high"], ["clipped"]),
        helper.make_node("Pow", ["clipped", "power"], ["probabilities"]),
    ]
    values = (("low", 0.0), ("high", 1.0), ("power", 0.5))
    weights = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in values]
    path = network_file(tmp_path / "theirs.onnx", nodes, weights=weights)
    assert card("add", path, *ANSWERS) == 0
    assert "looks at the whole image" in capsys.readouterr().out
    assert read_card(path).output.halo > 256


def external(path):
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    network_file(path, [helper.make_node("Mul", ["image", "w"], ["probabilities"])], weights=[weights])
    model = onnx.load(path)
    model.graph.initializer[0].ClearField("float_data")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="weights.bin")
    path.write_bytes(model.SerializeToString())


def logits(path):
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [20.0])
    network_file(path, [helper.make_node("Mul", ["image", "w"], ["probabilities"])], weights=[weights])


def nan(path):
    nodes = [
        helper.make_node("Sub", ["image", "image"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["probabilities"]),
    ]
    network_file(path, nodes)


def with_answers(changes=()):
    """Replace flags' values in ANSWERS."""
    words = list(ANSWERS)
    for flag, *values in changes:
        at = words.index(flag)
        stop = next((i for i in range(at + 1, len(words)) if words[i].startswith("--")), len(words))
        words[at + 1 : stop] = values
    return words


REFUSED = {
    "has a card": (lambda path: put(path, tiny_onnx()), (), "carries a model card already.*cpunet card edit"),
    "no ONNX": (lambda path: put(path, b"hello, this is a text file"), (), "no ONNX model"),
    "damaged inside": (lambda path: put(path, field(1, 8) + field(7, b"\xff" * 9)), (), "damaged|no sound"),
    "input channels": (
        lambda path: put(path, tiny_onnx(card=None, channels=3)),
        (),
        "has 3 input channels, and channels names 1: nuclei",
    ),
    "output channels": (
        lambda path: put(path, tiny_onnx(card=None, out_channels=3)),
        (("--roles", "foreground", "border"),),
        "has 3 output channels, and roles names 2: foreground, border",
    ),
    "unknown role": (None, (("--roles", "nucleus"),), "role 'nucleus'; the roles are background"),
    "roles without objects": (None, (("--roles", "distance"),), "one must have the role foreground, interior or bound"),
    "percentiles": (None, (("--percentiles", "99", "1"),), "percentile_low < percentile_high"),
    "diameter": (None, (("--diameter", "-3"),), "0 < diameter_low_px"),
    "fixed size": (lambda path: put(path, tiny_onnx(card=None, size=64)), (), r"fixed shape \(N, 1, 64, 64\)"),
    "channels last": (
        lambda path: network_file(path, same(), ("N", "Y", "X", 1)),
        (),
        r"\(N, Y, X, 1\), with the channels last",
    ),
    "3-D": (lambda path: network_file(path, same(), ("N", 1, "Z", "Y", "X")), (), r"\(N, 1, Z, Y, X\); four axes"),
    "whole numbers": (lambda path: network_file(path, same(), kind=TensorProto.UINT8), (), "'image' is uint8; float32"),
    "weights elsewhere": (external, (), r"lie in another file beside it \(weights.bin\)"),
    "too new": (lambda path: network_file(path, same(), opset=22), (), "opset 22.*opens up to opset 21"),
    "logits": (logits, (), r"channel foreground holds values from [\d.]+ to 1\d.*sigmoid or softmax inside"),
    "not numbers": (nan, (), "values that are no numbers"),
    "other size": (
        lambda path: network_file(
            path, [helper.make_node("MaxPool", ["image"], ["probabilities"], kernel_shape=[3, 3])]
        ),
        (),
        "no image size that was tried.*theirs.onnx.*returned the shape",
    ),
}


@pytest.mark.parametrize(("make", "changes", "message"), REFUSED.values(), ids=REFUSED)
def test_add_refuses_and_leaves_the_file_as_it_was(theirs, capsys, make, changes, message):
    if make:
        make(theirs)
    before = theirs.read_bytes()
    assert card("add", theirs, *with_answers(changes)) == 2
    error = capsys.readouterr().err
    assert re.search(message, error, re.S), error
    assert error.count("theirs.onnx") >= 1
    assert theirs.read_bytes() == before
    assert [path.name for path in theirs.parent.iterdir()] == ["theirs.onnx"]


def test_sizes_that_the_network_does_not_take_are_refused(tmp_path, capsys):
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Resize", ["small", "", "scales"], ["probabilities"], mode="nearest"),
    ]
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 4, 4])
    path = network_file(tmp_path / "theirs.onnx", nodes, out_shape=("N", 1, "Y2", "X2"), weights=[scales])
    before = path.read_bytes()
    assert card("add", path, *ANSWERS, "--halo", "8", "--divisible-by", "2", "--min-size", "4") == 2
    assert "returned the shape (1, 1, 4, 8)" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "not readable YAML"),
        ("just words", "not a mapping"),
        ("nickname: x", "no field 'nickname'; its fields are name, "),
        ("input: {diameter: 3}", "no field 'input.diameter'"),
        ("card_version: '2.0'", "version 2.0"),
        (YAML + "version: 1.0", "model card's version should be a text"),
        (YAML + "scores: {mine: {mean_f1: 92}}", "schema.*scores.mine.mean_f1"),
    ],
    ids=["broken", "text", "unknown", "unknown in a section", "newer", "version without quotes", "schema"],
)
def test_yaml_that_cannot_be_is_refused(theirs, capsys, text, message):
    answers = theirs.with_name("answers.yaml")
    answers.write_text(text)
    before = theirs.read_bytes()
    assert card("add", theirs, "--yaml", answers) == 2
    assert re.search(message, capsys.readouterr().err)
    assert theirs.read_bytes() == before


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
    assert "cannot be replaced alone" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_what_the_docs_do_with_another_program_s_network(tmp_path, monkeypatch):
    text = DOCS.read_text(encoding="utf-8")
    export, free = re.findall(r"```python\n(.*?)```", text, re.S)
    commands = [
        shlex.split(line)[2:] for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()
    ]
    monkeypatch.chdir(tmp_path)
    Path("theirs.yaml").write_text(re.search(r"```yaml\n(.*?)```", text, re.S)[1], encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(export, {})
    network = Path("theirs.onnx").read_bytes()
    assert len(commands) == 2
    for words in commands:
        Path("theirs.onnx").write_bytes(network)
        assert card(*words) == 0
        assert read_card(Path("theirs.onnx")).output.roles == ("background", "interior", "boundary")
    assert read_card(Path("theirs.onnx")).input.diameter_px == 30
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(re.sub("dynamic_axes=.*", "", export), {})
    assert card(*commands[0]) == 2
    exec(free, {})
    assert card(*commands[0]) == 0
