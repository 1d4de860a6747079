import json

import numpy as np
import onnx
import pytest
import yaml

from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.steps.prepare import normalize
from tests.export.bioimageio_packages import (
    ANSWERS,
    FLOAT,
    SCALE,
    changed,
    clip,
    files_of,
    imported,
    linear,
    npy,
    packed,
    same_network,
    sigmoid,
    standard,
    theirs,
)

ZMUV = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}
SIGMOID = {"id": "sigmoid"}
RAW = np.arange(192, dtype=np.float32).reshape(1, 1, 12, 16)


def fixed(**kwargs):
    return {"id": "fixed_zero_mean_unit_variance", "kwargs": kwargs}


def dtype(name):
    return {"id": "ensure_dtype", "kwargs": {"dtype": name}}


def binarize(threshold):
    return {"id": "binarize", "kwargs": {"threshold": threshold}}


def scale(low=0.0, high=100.0, **kwargs):
    return {
        "id": "scale_range",
        "kwargs": {"axes": ["y", "x"], "min_percentile": low, "max_percentile": high, **kwargs},
    }


def scaled(low=0, high=100, image=RAW):
    least, most = np.percentile(image, (low, high))
    return (image - least) / (most - least)


PERCENTILE, STANDARD, NONE = "percentile", "zero_mean_unit_variance", "none"
STEPS = {
    "clip in the card": ([FLOAT, SCALE, clip(min=-1.0, max=1.0), FLOAT], [], np.minimum(scaled(), 1), PERCENTILE),
    "clips": ([SCALE, clip(min=0.25)], [clip(max=0.9)], np.clip(scaled(), 0.25, 0.9), PERCENTILE),
    "clip, linear": (
        [SCALE, clip(min=0.0, max=1.0), linear(0.5, 0.125)],
        [],
        np.clip(scaled(), 0, 1) * 0.5 + 0.125,
        PERCENTILE,
    ),
    "linear, sigmoid": ([SCALE, linear(4.0, -2.0)], [SIGMOID, FLOAT], sigmoid(4 * scaled() - 2), PERCENTILE),
    "no scaling by the image": ([linear(0.01, 0.0)], [SIGMOID], sigmoid(RAW * 0.01), NONE),
    "darker than -1": ([scale(50, 60)], [SIGMOID], sigmoid(scaled(50, 60)), PERCENTILE),
    "zero mean": ([ZMUV], [SIGMOID], sigmoid(standard(RAW)), STANDARD),
    "zero mean over all axes": ([{"id": ZMUV["id"]}], [SIGMOID], sigmoid(standard(RAW)), STANDARD),
    "zero mean, then clip": (
        [ZMUV, clip(min=-1.0, max=1.0)],
        [SIGMOID],
        sigmoid(np.clip(standard(RAW), -1, 1)),
        STANDARD,
    ),
    "fixed mean": ([fixed(mean=95.0, std=50.0)], [SIGMOID], sigmoid((RAW - 95) / 50), NONE),
    "fixed mean of each channel": (
        [fixed(axis="channel", mean=[95.0], std=[50.0])],
        [SIGMOID],
        sigmoid((RAW - 95) / 50),
        NONE,
    ),
    "a gain before the mean": ([linear(1 / 255, 0.5), ZMUV], [SIGMOID], sigmoid(standard(RAW)), STANDARD),
    "percentiles before the mean": ([SCALE, ZMUV], [SIGMOID], sigmoid(standard(RAW)), STANDARD),
    "the mean before percentiles": ([ZMUV, SCALE], [SIGMOID], sigmoid(scaled()), PERCENTILE),
    "to whole numbers": (
        [SCALE, clip(min=0.0, max=1.0), linear(255.0, 0.0), dtype("uint8"), linear(1 / 255, 0.0)],
        [],
        np.floor(np.clip(scaled(), 0, 1) * 255) / 255,
        PERCENTILE,
    ),
    "binarize before": ([SCALE, binarize(0.5)], [], scaled() > 0.5, PERCENTILE),
    "binarize after": ([SCALE], [binarize(0.5)], scaled() > 0.5, PERCENTILE),
    "to true and false": ([SCALE, clip(min=0.0)], [dtype("bool")], scaled() != 0, PERCENTILE),
    "linear after": ([SCALE, clip(max=1.0)], [linear(0.25, 0.5)], np.minimum(scaled(), 1) * 0.25 + 0.5, PERCENTILE),
    "fixed mean after": ([SCALE], [fixed(mean=-1.0, std=3.0)], (scaled() + 1) / 3, PERCENTILE),
}


@pytest.mark.parametrize(("before", "after", "expected", "kind"), STEPS.values(), ids=STEPS)
def test_steps_are_done_as_the_package_asks(before, after, expected, kind, tmp_path):
    package = theirs(tmp_path / "p.zip", before, after, lambda _: expected)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    card = read_card(tmp_path / "m.onnx")
    assert card.input.normalization.kind == kind
    assert (card.input.divisible_by, card.input.min_size) == (4, 8)
    assert card.citation == "Curie 2020 10.1234/5"
    found = load_model(tmp_path / "m.onnx", "cpu").predict(normalize(RAW[0], card.input.normalization)[np.newaxis])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("opset", [9, 10, 12, 13, 17, 18, 20, 21])
def test_steps_go_into_networks_of_any_opset_that_can_be_opened(opset, tmp_path):
    def expected(given):
        limited = np.clip(given, 0.1, 0.8) - 0.25
        return np.exp(limited) / np.exp(limited).sum(axis=1, keepdims=True) > 0.4

    before = [SCALE, linear(1.0, 0.5), clip(min=0.6, max=1.3), linear(1.0, -0.75)]
    package = theirs(tmp_path / "p.zip", before, [{"id": "softmax"}, binarize(0.4)], expected, channels=3)
    changed(package, files={"w.onnx": same_network(3, opset=opset)})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0


def test_a_network_of_an_older_opset_is_refused_with_the_way_out(tmp_path, capsys):
    package = changed(theirs(tmp_path / "p.zip", after=[SIGMOID]), files={"w.onnx": same_network(opset=8)})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert "opset 8" in capsys.readouterr().err


def test_softmax_is_over_the_channels(tmp_path):
    def expected(given):
        return np.exp(given) / np.exp(given).sum(axis=1, keepdims=True)

    package = theirs(tmp_path / "p.zip", [SCALE], [{"id": "softmax"}], expected, channels=3)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert read_card(tmp_path / "m.onnx").output.roles == ("foreground", "boundary", "interior")


@pytest.mark.parametrize(
    ("step", "gain"), [(SCALE, 1.0), (ZMUV, 0.2)], ids=["percentiles", "mean and standard deviation"]
)
@pytest.mark.parametrize("axes", [["channel", "y", "x"], None], ids=["named", "all"])
def test_channels_are_scaled_together_where_the_package_does_so(step, gain, axes, tmp_path):
    image = np.arange(3 * 192, dtype=np.float32).reshape(1, 3, 12, 16)
    together = image - image.mean() if step is ZMUV else image
    together = together / (image.std() if step is ZMUV else image.max()) * gain + 0.5
    step = {**step, "kwargs": {name: value for name, value in step["kwargs"].items() if name != "axes"}}
    if axes:
        step["kwargs"]["axes"] = axes
    before = [step, linear(gain, 0.5), clip(min=0.0, max=1.0)]
    package = theirs(tmp_path / "p.zip", before, [], lambda _: np.clip(together, 0, 1), channels=3)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert not read_card(tmp_path / "m.onnx").input.normalization.per_channel


def test_a_number_for_each_channel_is_taken(tmp_path):
    gains = [1.0, 0.5, 0.25]
    by_channel = {"id": "scale_linear", "kwargs": {"axis": "channel", "gain": gains, "offset": 0.125}}
    means = fixed(axis="channel", mean=[0.0, -0.5, 0.5], std=[2.0, 4.0, 4.0])
    thresholds = {"id": "binarize", "kwargs": {"axis": "channel", "threshold": [0.3, 0.2, 0.1]}}

    def expected(given):
        values = given * np.reshape(gains, (3, 1, 1)) + 0.125
        values = (values - np.reshape([0.0, -0.5, 0.5], (3, 1, 1))) / np.reshape([2.0, 4.0, 4.0], (3, 1, 1))
        return values > np.reshape([0.3, 0.2, 0.1], (3, 1, 1))

    package = theirs(tmp_path / "p.zip", [SCALE, by_channel], [means, thresholds], expected, channels=3)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0


@pytest.mark.parametrize("step", [scale(axes=["batch", "y", "x"]), {**ZMUV, "kwargs": {"axes": ["batch", "y", "x"]}}])
def test_a_package_that_scales_a_whole_data_set_is_taken_and_spoken_of(step, tmp_path, capsys):
    """Its test is such a data set, of which the images are scaled together."""
    images = np.concatenate([RAW, 3 * RAW])
    low, most = np.percentile(images, (0, 100))
    together = (images - low) / (most - low)
    if step["id"] == ZMUV["id"]:
        together = (images - images.mean()) / images.std()
    package = theirs(tmp_path / "p.zip", [step], [SIGMOID])
    changed(package, files={"in.npy": npy(images), "out.npy": npy(sigmoid(together).astype(np.float32))})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert "values of a whole data set together" in capsys.readouterr().out


def test_images_of_whole_numbers_are_not_cut_off(tmp_path):
    """bioimageio.spec ends their preprocessing with a conversion to whole numbers, which no author asks for."""
    package = theirs(tmp_path / "p.zip", [ZMUV], [SIGMOID], lambda _: sigmoid(standard(RAW)))
    changed(package, input={"data": {"type": "uint8", "range": [0, 255]}})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0


def test_what_a_package_adds_to_the_contrast_is_spoken_of(tmp_path, capsys):
    package = theirs(tmp_path / "p.zip", [scale(eps=0.1)], [], lambda _: RAW / (RAW.max() + 0.1))
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert "adds 0.1 to the contrast" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ([{"id": "scale_range", "kwargs": {"axes": ["channel"]}}], [], "scale_range over channel"),
        ([{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["x"]}}], [], "zero_mean_unit_variance over x"),
        ([scale(reference_tensor="z")], [], "z"),
        ([clip(min=0.0, max=9.0), ZMUV], [], "zero_mean_unit_variance after a step that is no scaling"),
        ([linear(-1.0, 0.0), SCALE], [], "scale_range after a step that is no scaling"),
        ([SCALE, {"id": "zero_mean_unit_variance"}], [], "over all channels, after each was scaled by itself"),
        ([SCALE, clip(min_percentile=1.0)], [], "clip with"),
        ([SCALE, linear([1.0, 2.0, 3.0], 0.0)], [], "scale_linear"),
        ([SCALE, {"id": "scale_linear", "kwargs": {"axis": "channel", "gain": [1.0, 2.0]}}], [], "of 3 channels"),
        ([SCALE, {"id": "scale_linear", "kwargs": {"axis": "y", "gain": [1.0] * 2}}], [], "scale_linear"),
        ([SCALE, linear(float("nan"), 0.0)], [], "scale_linear"),
        ([SCALE, clip(min=2.0, max=1.0)], [], "let nothing through"),
        ([SCALE], [ZMUV], "by values of the whole image"),
        ([SCALE], [SCALE], "by values of the whole image"),
        ([SCALE], [{"id": "softmax", "kwargs": {"axis": "y"}}], "softmax with"),
        ([SCALE], [{"id": "scale_mean_variance", "kwargs": {"reference_tensor": "raw"}}], "scale_mean_variance"),
        ([SCALE], [{"id": "stardist_postprocessing"}], "stardist_postprocessing"),
        ([SCALE], [{"id": "custom", "callable": "f", "source": "f.py"}], "custom"),
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


def test_a_network_without_steps_of_its_own_keeps_its_nodes(tmp_path):
    assert imported(theirs(tmp_path / "p.zip"), tmp_path / "m.onnx", *ANSWERS) == 0
    assert [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node] == ["Identity"]
