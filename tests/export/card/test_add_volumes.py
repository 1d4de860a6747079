"""A card for an ONNX file of volumes: what nobody said of its sizes is measured along Z as well."""

import re

import pytest
from onnx import TensorProto, helper

from cpunet.checks.stored_test import STORED_TEST_KEY, stored_test_from_json
from cpunet.checks.verify import verify_model
from cpunet.export.card.schema import schema_errors
from cpunet.onnx_reader.metadata import read_card, read_metadata
from tests.export.card_files import ANSWERS, card, metadata_card, network_file, put, same
from tests.tiny_volumes import tiny_volume_onnx

SHAPE = ("N", 1, "Z", "Y", "X")
OF_VOLUMES = [*ANSWERS, "--z-step", "2.2"]


def pooled(path):
    """Write means of 3 x 9 x 9 voxels, then of 1 x 4 x 4 that do not overlap: multiples of 4 pixels, a reach of 7."""
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [5], [1, 1, 1, 4, 4])
    nodes = [
        helper.make_node("AveragePool", ["image"], ["smooth"], kernel_shape=[3, 9, 9], pads=[1, 4, 4] * 2),
        helper.make_node("AveragePool", ["smooth"], ["small"], kernel_shape=[1, 4, 4], strides=[1, 4, 4]),
        helper.make_node("Resize", ["small", "", "scales"], ["probabilities"], mode="nearest"),
    ]
    return network_file(path, nodes, SHAPE, ("N", 1, "Z", "Y2", "X2"), weights=[scales])


def test_sizes_and_halo_are_measured_along_z_too(tmp_path, capsys):
    path = pooled(tmp_path / "theirs.onnx")
    assert card("add", path, *OF_VOLUMES) == 0
    out = capsys.readouterr().out
    assert "output.halo_planes: 2, measured" in out
    written = read_card(path)
    given, output = written.input, written.output
    assert (given.dimensions, given.z_step_px) == (3, 2.2)
    assert (given.divisible_by, given.min_size, given.divisible_by_planes, given.min_planes) == (4, 4, 1, 1)
    assert (output.halo, output.halo_planes) == (8, 2)
    assert schema_errors(metadata_card(path)) == []
    test = stored_test_from_json(read_metadata(path)[STORED_TEST_KEY], 3)
    assert test.input.shape == (1, 1, 8, 48, 48)
    assert all(finding.passed for finding in verify_model(path))


def test_planes_that_are_pooled_by_two_are_measured(tmp_path):
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [5], [1, 1, 2, 1, 1])
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[2, 1, 1], strides=[2, 1, 1]),
        helper.make_node("Resize", ["small", "", "scales"], ["logits"], mode="nearest"),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    path = network_file(tmp_path / "theirs.onnx", nodes, SHAPE, ("N", 1, "Z2", "Y", "X"), weights=[scales])
    assert card("add", path, *OF_VOLUMES) == 0
    given = read_card(path).input
    assert (given.divisible_by, given.divisible_by_planes, given.min_planes) == (1, 2, 2)


def test_answers_are_not_measured(tmp_path, capsys):
    path = pooled(tmp_path / "theirs.onnx")
    sizes = ("--divisible-by", 8, "--min-size", 16, "--divisible-by-planes", 2, "--min-planes", 4)
    assert card("add", path, *OF_VOLUMES, *sizes, "--halo", 24, "--halo-planes", 6) == 0
    assert ", measured" not in capsys.readouterr().out
    written = read_card(path)
    assert (written.input.divisible_by, written.input.min_planes, written.output.halo_planes) == (8, 4, 6)


def test_what_only_volumes_need_is_asked_for(tmp_path, capsys):
    path = put(tmp_path / "theirs.onnx", tiny_volume_onnx(card=None))
    assert card("add", path, *ANSWERS[:-7], "--roles", "foreground", "--normalization", "none") == 2
    asked = re.findall(r"^    (--\S+)", capsys.readouterr().err, re.M)
    assert asked == ["--diameter", "--z-step", "--halo", "--halo-planes", "--units"]


@pytest.mark.parametrize(
    ("shape", "words", "message"),
    [
        (
            ("N", 1, 16, "Y", "X"),
            OF_VOLUMES,
            r"fixed shape \(N, 1, 16, Y, X\); planes, height and width of",
        ),
        (SHAPE, [*OF_VOLUMES, "--dimensions", "2"], r"takes volumes \(N, C, Z, Y, X\), and input.dimensions says 2"),
        (("N", 1, "Y", "X"), [*OF_VOLUMES, "--dimensions", "3"], r"takes images \(N, C, Y, X\), and input.dim"),
        (("N", 1, "Y", "X"), OF_VOLUMES, "which only volumes have, and its input.dimensions is 2"),
        (SHAPE, [*OF_VOLUMES, "--z-step", "-1"], "z_step_px"),
        (("N", "Z", "Y", "X", 1), OF_VOLUMES, "with the channels last"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_file_stays(tmp_path, capsys, shape, words, message):
    path = network_file(tmp_path / "theirs.onnx", same(), shape)
    before = path.read_bytes()
    assert card("add", path, *words) == 2
    assert re.search(message, capsys.readouterr().err, re.S)
    assert path.read_bytes() == before


def test_a_field_of_volumes_is_edited_and_checked(tmp_path, capsys):
    path = put(tmp_path / "volumes.onnx", tiny_volume_onnx())
    assert card("edit", path, "--set", "input.z_step_px=3.5", "--set", "output.halo_planes=5") == 0
    assert "input.z_step_px: 2.0 -> 3.5" in capsys.readouterr().out
    assert (read_card(path).input.z_step_px, read_card(path).output.halo_planes) == (3.5, 5)
    assert card("edit", path, "--set", "input.dimensions=2") == 2
    assert "which only volumes have" in capsys.readouterr().err
    assert card("edit", path, "--set", "input.z_step_px=null") == 2
    assert "input.z_step_px" in capsys.readouterr().err
    assert read_card(path).input.z_step_px == 3.5


def test_the_page_says_that_the_model_is_of_volumes(tmp_path, capsys):
    path = put(tmp_path / "volumes.onnx", tiny_volume_onnx())
    assert card("show", path) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "dimensions 3-D: volumes (Z, Y, X)" in page
    assert "trained where two lie 2 times as far apart as two pixels" in page
    assert "0 pixels a side of a tile along Y and X; 3 planes along Z" in page
    assert "volumes of any size; the network gets multiples of 4 pixels, 8 or more a side, and multiples of 2" in page
