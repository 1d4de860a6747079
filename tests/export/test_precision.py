import numpy as np
import onnx
import pytest

from cpunet.checks.synthetic import synthetic_input
from cpunet.checks.verify import verify_model
from cpunet.errors import ModelError
from cpunet.export.precision import to_float16, to_int8
from cpunet.model.card import METADATA_KEY
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from tests.places import REPOSITORY


@pytest.fixture(scope="module")
def content(exported):
    return exported.read_bytes()


@pytest.fixture(scope="module")
def variants(content):
    """The same network in each precision."""
    return {precision: reduced(content, precision) for precision in ("float16", "int8")}


def noise(count=6, side=40):
    rng = np.random.default_rng(1)
    return [rng.random((1, side, side + index), np.float32) for index in range(count)]


def reduced(content, precision):
    return to_float16(content) if precision == "float16" else to_int8(content, noise())


@pytest.mark.parametrize(("precision", "apart"), [("float16", 0.001), ("int8", 0.03)])
def test_the_variant_computes_nearly_the_same_and_keeps_its_promises(content, variants, precision, apart, tmp_path):
    before, after = tmp_path / "model.onnx", tmp_path / "variant.onnx"
    before.write_bytes(content)
    after.write_bytes(variants[precision])
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
def test_the_card_says_the_precision_and_is_otherwise_kept(exported, variants, precision, tmp_path, trained):
    path = tmp_path / "variant.onnx"
    path.write_bytes(variants[precision])
    card = read_card(path)
    assert card.name == f"small_{precision}"
    assert precision not in trained.config.description
    assert card.description.startswith("Drawn nuclei. Reduced precision")
    assert card.provenance["precision"] == precision
    assert card.provenance["reduced_from"] == "small"
    assert card.provenance["command"] == "make it && make it again"
    assert card.postprocessing == read_card(exported).postprocessing
    with pytest.raises(ModelError, match=f"precision {precision} already"):
        to_float16(path.read_bytes())


def test_weights_are_stored_as_asked(variants):
    types = {
        precision: [tensor.data_type for tensor in onnx.load_from_string(variants[precision]).graph.initializer]
        for precision in ("float16", "int8")
    }
    assert types["float16"].count(onnx.TensorProto.FLOAT16) > 10
    network = onnx.load_from_string(variants["int8"])
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


def test_the_last_convolution_is_found_behind_a_change_of_the_layout():
    """A network that works at half the resolution rearranges its channels into pixels at its end."""
    network = onnx.load(REPOSITORY / "models" / "nuclei_fluorescence_int8" / "model.onnx")
    assert [node.op_type for node in network.graph.node][-3:] == ["Conv", "DepthToSpace", "Sigmoid"]
    head = [tensor for tensor in network.graph.initializer if tensor.name.endswith("head.weight")]
    assert [tensor.data_type for tensor in head] == [onnx.TensorProto.FLOAT]


def test_the_same_model_and_images_give_the_same_bytes(content, variants):
    assert to_int8(content, noise()) == variants["int8"]
    assert to_float16(content) == variants["float16"]


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
