import numpy as np
import onnx
import pytest

from cpunet.__main__ import main
from cpunet.checks.stored_test import synthetic_input
from cpunet.checks.verify import verify_model
from cpunet.errors import ModelError
from cpunet.export.precision import to_float16, to_int8
from cpunet.export.reduced_precision import calibration_images
from cpunet.export.to_onnx import onnx_bytes
from cpunet.export.training_card import card_from_training
from cpunet.model.card import METADATA_KEY
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.training.network.unet import Probabilities
from cpunet.training.weights import load_trained


@pytest.fixture
def content(trained):
    return onnx_bytes(Probabilities(trained.network, "sigmoid").eval(), card_from_training(trained, "make it"))


@pytest.fixture(scope="module")
def float32_model(data_root, weights_of_drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "drawn" / "model.onnx"
    assert main(["export", str(weights_of_drawn), "-o", str(path), "--data", str(data_root)]) == 0
    return path


def noise(count=6, side=40):
    rng = np.random.default_rng(1)
    return [rng.random((1, side, side + index), np.float32) for index in range(count)]


def reduced(content, precision):
    return to_float16(content) if precision == "float16" else to_int8(content, noise())


@pytest.mark.parametrize(("precision", "apart"), [("float16", 0.001), ("int8", 0.03)])
def test_the_variant_computes_nearly_the_same_and_keeps_its_promises(content, precision, apart, tmp_path):
    before, after = tmp_path / "model.onnx", tmp_path / "variant.onnx"
    before.write_bytes(content)
    after.write_bytes(reduced(content, precision))
    image = np.random.default_rng(2).random((2, 1, 24, 44), np.float32)
    expected, found = (load_model(path, "cpu").predict(image) for path in (before, after))
    assert expected.std() > 0.02
    difference = np.abs(found - expected)
    assert 0 < difference.mean() < apart
    failed = [finding for finding in verify_model(after) if not finding.passed]
    assert not failed
    versions = onnx.load(after)
    assert versions.ir_version <= 8
    assert [(entry.domain, entry.version) for entry in versions.opset_import if entry.domain == ""] == [("", 17)]


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_the_card_says_the_precision_and_is_otherwise_kept(content, precision, tmp_path, trained):
    path = tmp_path / "variant.onnx"
    path.write_bytes(reduced(content, precision))
    card = read_card(path)
    assert card.name == f"small_{precision}"
    assert precision not in trained.config.description
    assert card.description.startswith("Drawn nuclei. Reduced precision")
    assert card.provenance["precision"] == precision
    assert card.provenance["reduced_from"] == "small"
    assert card.provenance["command"] == "make it"
    assert card.postprocessing == card_from_training(trained, "").postprocessing
    with pytest.raises(ModelError, match=f"precision {precision} already"):
        to_float16(path.read_bytes())


def test_weights_are_stored_as_asked(content):
    types = {
        precision: [tensor.data_type for tensor in onnx.load_from_string(reduced(content, precision)).graph.initializer]
        for precision in ("float16", "int8")
    }
    assert types["float16"].count(onnx.TensorProto.FLOAT16) > 10
    network = onnx.load_from_string(reduced(content, "int8"))
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in network.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(weights) > 5
    # 8 bits would overflow on processors without VNNI
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) <= 64
    # the last convolution is not rounded
    assert next(node for node in network.graph.node if node.output[0] == "probabilities").op_type == "Sigmoid"
    head = [tensor for tensor in network.graph.initializer if tensor.name.endswith("head.weight")]
    assert [tensor.data_type for tensor in head] == [onnx.TensorProto.FLOAT]


def test_the_same_model_and_images_give_the_same_bytes(content):
    assert to_int8(content, noise()) == to_int8(content, noise())
    assert to_float16(content) == to_float16(content)


def test_calibration_decides_which_values_are_told_apart(content, tmp_path):
    image = synthetic_input(read_card_of(content, tmp_path).input)
    errors = []
    for factor in (1, 1000):  # images a thousand times as bright leave next to no steps for ordinary ones
        path = tmp_path / f"{factor}.onnx"
        path.write_bytes(to_int8(content, [factor * plane for plane in noise()]))
        expected = load_model(tmp_path / "model.onnx", "cpu").predict(image)
        errors.append(np.abs(load_model(path, "cpu").predict(image) - expected).mean())
    assert errors[1] > 3 * errors[0]


def read_card_of(content, folder):
    path = folder / "model.onnx"
    path.write_bytes(content)
    return read_card(path)


def test_what_cannot_be_reduced_is_refused(content):
    with pytest.raises(ModelError, match="none was given"):
        to_int8(content, [])
    model = onnx.load_from_string(content)
    kept = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    with pytest.raises(ModelError, match="without a model card"):
        to_float16(model.SerializeToString())


def test_calibration_images_come_from_the_training_split_as_the_network_sees_them(
    data_root, weights_of_drawn, float32_model
):
    images = calibration_images(load_trained(weights_of_drawn), data_root, read_card(float32_model))
    assert len(images) == 6  # all that there are
    assert all(image.dtype == np.float32 and image.ndim == 3 for image in images)
    assert all(0 < np.percentile(image, 90) <= 8 for image in images)


@pytest.mark.parametrize(("precision", "from_weights"), [("float16", False), ("int8", True)])
def test_the_command_reports_and_writes(
    precision, from_weights, data_root, weights_of_drawn, float32_model, tmp_path, capsys, monkeypatch
):
    # one of the 36 drawn objects that crosses one threshold is worth more than may be lost
    monkeypatch.setattr("cpunet.export.reduced_precision.MOST_F1_LOST", 0.02)
    source = weights_of_drawn if from_weights else float32_model
    path = tmp_path / "variant" / "model.onnx"
    given = ["export", str(source), "-o", str(path), "--precision", precision, "--data", str(data_root)]
    assert main(given) == 0
    text = capsys.readouterr().out
    assert "times as fast as float32 on this CPU" in text
    assert "mean F1 on drawn val: " in text
    assert path.stat().st_size < float32_model.stat().st_size
    before, after = read_card(float32_model), read_card(path)
    assert after.postprocessing == before.postprocessing
    assert after.scores["drawn"]["mean_f1"] > before.scores["drawn"]["mean_f1"] - 0.02
    assert after.provenance["command"].endswith(f"{source} -o {path} --precision {precision} --data DATA")
    assert after.name in path.with_name("README.md").read_text()


def test_a_variant_that_loses_objects_is_not_written(data_root, float32_model, tmp_path, capsys, monkeypatch):
    blind = "cpunet.export.reduced_precision.calibration_images"
    monkeypatch.setattr(blind, lambda *_: [np.full((1, 64, 64), 1e-4, np.float32)])
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the model before")
    given = ["export", str(float32_model), "-o", str(path), "--precision", "int8", "--data", str(data_root)]
    assert main(given) == 2
    message = capsys.readouterr().err
    assert "int8 loses 0." in message
    assert "nothing was written" in message
    assert path.read_bytes() == b"the model before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("missing", ["-o", "--data"])
def test_what_the_command_needs_is_said(missing, data_root, float32_model, tmp_path, capsys):
    given = {"-o": str(tmp_path / "m.onnx"), "--data": str(data_root)}
    del given[missing]
    arguments = [part for pair in given.items() for part in pair]
    assert main(["export", str(float32_model), "--precision", "int8", *arguments]) == 2
    assert "needs -o FILE.onnx, and --data ROOT" in capsys.readouterr().err


def test_the_float32_model_is_not_overwritten(data_root, float32_model, capsys):
    before = float32_model.read_bytes()
    given = ["export", str(float32_model), "-o", str(float32_model), "--precision", "int8", "--data", str(data_root)]
    assert main(given) == 2
    assert "a folder of its own" in capsys.readouterr().err
    assert float32_model.read_bytes() == before
