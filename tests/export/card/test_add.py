import json
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cpunet.checks.stored_test import STORED_TEST_KEY
from cpunet.export.card.schema import schema_errors
from cpunet.model.card import METADATA_KEY, card_to_json
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, sha256
from cpunet.steps.predict import predict_in_tiles
from tests.export.card_files import ANSWERS, YAML, card, metadata_card, network_file, put, same, with_answers
from tests.tiny_onnx import field, tiny_onnx


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
    assert (written.input.diameter_low_px, written.input.diameter_px, written.input.diameter_high_px) == (10, 18, 27)
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


def test_all_that_is_missing_is_asked_for_at_once(tmp_path, capsys):
    path = put(tmp_path / "theirs.onnx", tiny_onnx(card=None, channels=2, out_channels=3))
    assert card("add", path, "--licence", "MIT") == 2
    error = capsys.readouterr().err
    assert "7 answers are missing; the network has 2 input channels and 3 output channels" in error
    asked = re.findall(r"^    (--\S+)", error, re.M)
    flags = ["--name", "--description", "--channels", "--modality", "--diameter", "--roles", "--percentiles"]
    assert sorted(asked) == sorted(flags)
    assert card("add", path, *ANSWERS[:-7], "--normalization", "none") == 2
    assert re.findall(r"^    (--\S+)", capsys.readouterr().err, re.M) == ["--diameter", "--roles", "--halo", "--units"]


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
    "fixed batch": (lambda path: network_file(path, same(), (4, 1, "Y", "X")), (), r"fixed shape \(4, 1, Y, X\)"),
    "fixed width": (lambda path: network_file(path, same(), ("N", 1, "Y", 64)), (), r"fixed shape \(N, 1, Y, 64\)"),
    "channels last": (
        lambda path: network_file(path, same(), ("N", "Y", "X", 1)),
        (),
        r"\(N, Y, X, 1\), with the channels last",
    ),
    "six axes": (
        lambda path: network_file(path, same(), ("N", 1, "T", "Z", "Y", "X")),
        (),
        r"'image' has 6 dimensions; four \(N, C, Y, X\), or five \(N, C, Z, Y, X\), are needed",
    ),
    "volumes in, images out": (
        lambda path: network_file(path, same(), ("N", 1, "Z", "Y", "X"), ("N", 1, "Y", "X")),
        (),
        "input 'image' has 5 dimensions and its output 'probabilities' has 4; both must be the same",
    ),
    "whole numbers": (
        lambda path: network_file(path, same(), kind=TensorProto.UINT8),
        (),
        "'image' is a tensor of uint8; a float32 tensor",
    ),
    "weights elsewhere": (external, (), r"kept in another file \('weights.bin'\)"),
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
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Sigmoid", ["large"], ["probabilities"]),
    ]
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 4, 4])
    path = network_file(tmp_path / "theirs.onnx", nodes, out_shape=("N", 1, "Y2", "X2"), weights=[scales])
    before = path.read_bytes()
    assert card("add", path, *ANSWERS, "--halo", "8", "--divisible-by", "2", "--min-size", "4") == 2
    assert "returned the shape (1, 1, 4, 8)" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("shape", "unit"), [((1, 1, 64, 96), 4), (("N", 1, 50, 30), 1)], ids=["batch too", "free batch"]
)
def test_a_network_of_one_size_says_so_in_its_card(shape, unit, theirs, capsys):
    network_file(theirs, [helper.make_node("Sigmoid", ["image"], ["probabilities"])], shape)
    assert card("add", theirs, *ANSWERS) == 0
    assert f"takes {shape[2]} x {shape[3]} pixels alone" in capsys.readouterr().out
    written = read_card(theirs)
    assert (written.input.tile_shape, written.input.divisible_by) == (shape[2:], unit)
    assert schema_errors(metadata_card(theirs)) == []
    image = np.random.default_rng(0).random((1, 70, 131), np.float32)
    found = predict_in_tiles(image, load_model(theirs, "cpu"), (1024, 1024))
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-image)), atol=1e-6)


def test_a_network_that_gives_another_size_than_it_takes_is_refused(theirs, capsys):
    network_file(theirs, same(), ("N", 1, 64, 64), ("N", 1, 32, 32))
    assert card("add", theirs, *ANSWERS) == 2
    assert "takes 64 x 64 pixels and gives 32 x 32" in capsys.readouterr().err
