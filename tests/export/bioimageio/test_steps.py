import json

import numpy as np
import pytest
import yaml

from cpunet.onnx_reader.metadata import read_card
from tests.export.bioimageio_packages import (
    ANSWERS,
    FLOAT,
    SCALE,
    clip,
    files_of,
    imported,
    linear,
    packed,
    theirs,
)


@pytest.mark.parametrize(
    ("before", "after", "compute"),
    [
        ([FLOAT, SCALE, clip(min=-1.0, max=1.0), FLOAT], [], lambda x: np.minimum(x, 1)),
        ([SCALE, clip(min=0.25)], [clip(max=0.9)], lambda x: np.clip(x, 0.25, 0.9)),
        ([SCALE, clip(min=0.0, max=1.0), linear(0.5, 0.125)], [], lambda x: np.clip(x, 0, 1) * 0.5 + 0.125),
        ([SCALE, linear(4.0, -2.0)], [{"id": "sigmoid"}, FLOAT], lambda x: 1 / (1 + np.exp(2 - 4 * x))),
        ([linear(0.01, 0.0)], [{"id": "sigmoid"}], lambda x: 1 / (1 + np.exp(-x))),
    ],
    ids=["clip in the card", "clips in the network", "clip then linear", "linear, sigmoid", "no scale_range"],
)
def test_steps_are_done_as_the_package_asks(before, after, compute, tmp_path):
    unscaled = SCALE not in before
    image = np.arange(192, dtype=np.float32)

    def expected(scaled):
        return compute(image.reshape(scaled.shape) * 0.01 if unscaled else scaled)

    package = theirs(tmp_path / "p.zip", before, after, expected)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    card = read_card(tmp_path / "m.onnx")
    assert card.input.normalization.kind == ("none" if unscaled else "percentile")
    assert (card.input.divisible_by, card.input.min_size) == (4, 8)
    assert card.citation == "Curie 2020 10.1234/5"


def test_softmax_is_over_the_channels(tmp_path):
    def expected(scaled):
        return np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)

    package = theirs(tmp_path / "p.zip", [SCALE], [{"id": "softmax"}], expected, channels=3)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert read_card(tmp_path / "m.onnx").output.roles == ("foreground", "boundary", "interior")


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ([{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}], [], "zero_mean_unit_variance"),
        ([SCALE, {"id": "zero_mean_unit_variance"}], [], "zero_mean_unit_variance"),
        ([{"id": "scale_range", "kwargs": {"axes": ["batch", "y", "x"]}}], [], "scale_range over batch"),
        ([{"id": "scale_range"}], [], "scale_range over all axes"),
        ([{"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"]}}], [], "scale_range over channel, x, y"),
        ([{"id": "scale_range", "kwargs": {"axes": ["y", "x"], "eps": 0.1}}], [], "eps 0.1"),
        ([{"id": "scale_range", "kwargs": {"axes": ["y", "x"], "reference_tensor": "z"}}], [], "z"),
        ([SCALE, SCALE], [], "scale_range"),
        ([SCALE, clip(min_percentile=1.0)], [], "clip with"),
        ([{"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}], [], "ensure_dtype to 'uint8'"),
        ([SCALE, linear([1.0, 2.0, 3.0], 0.0)], [], "scale_linear"),
        ([SCALE, linear(float("nan"), 0.0)], [], "scale_linear"),
        ([SCALE], [{"id": "binarize", "kwargs": {"threshold": 0.5}}], "binarize"),
        ([SCALE], [{"id": "stardist_postprocessing"}], "stardist_postprocessing"),
        ([SCALE], [{"kwargs": {}}], "Unable to extract tag"),
        ([SCALE], "sigmoid", "valid list"),
    ],
)
def test_a_step_that_is_not_implemented_is_named(before, after, named, tmp_path, capsys):
    package = theirs(tmp_path / "p.zip", before, [], channels=3)
    files = files_of(package)
    rdf = yaml.safe_load(files["rdf.yaml"])
    rdf["outputs"][0]["postprocessing"] = after
    packed(package, {**files, "rdf.yaml": json.dumps(rdf).encode()})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


def test_pixels_that_the_package_would_leave_darker_are_spoken_of(tmp_path, capsys):
    scale = {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 1.0, "max_percentile": 99.0}}

    def expected(scaled):
        low, high = np.percentile(scaled, (1, 99))
        return (scaled - low) / (high - low)

    package = theirs(tmp_path / "p.zip", [scale], [], expected)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert "darker than -1" in capsys.readouterr().out
