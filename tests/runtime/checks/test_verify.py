"""Each check fails for its own reason, and those before it pass."""

import numpy as np
import pytest

from cpunet.checks.stored_test import STORED_TEST_KEY, StoredTest, stored_test_to_json
from cpunet.checks.synthetic import synthetic_input
from cpunet.checks.verify import Reference, verify_model
from cpunet.model.session import load_model
from tests.tiny_onnx import CARD, changed_card, field, graph_of, node, onnx_of, tensor, tiny_onnx
from tests.tiny_trees import chooser_onnx, listed

CHECKS = ["ONNX", "opset and IR", "card", "names", "shapes", "stored test", "tiles", "halo"]


def entry(key, text):
    return field(14, field(1, key) + field(2, text))


def stored(path, **changes):
    """Compute a model's stored test, with parts of it replaced."""
    model = load_model(path, "cpu")
    image = synthetic_input(model.card.input)
    parts = {"input": image, "output": model.predict(image), **changes}
    return entry(STORED_TEST_KEY, stored_test_to_json(StoredTest(**parts)))


@pytest.fixture
def sound(tiny_model):
    """A model that passes."""
    tiny_model.write_bytes(tiny_model.read_bytes() + stored(tiny_model))
    return tiny_model


def findings(path, reference=None):
    return list(verify_model(path, reference))


def fails(path, check, reference=None):
    """Return the message of the check that fails, which must be the one named."""
    *before, last = findings(path, reference)
    assert all(finding.passed for finding in before)
    assert (last.check, last.passed) == (check, False)
    return last.text


def convolved(weights, card=CARD):
    """Return a network that is one convolution of the given 2-D weights, centerd, and a sigmoid."""
    rows, columns = len(weights), len(weights[0])
    tensors = [tensor("weight", [1, 1, rows, columns], [value for row in weights for value in row])]
    padded = node("Conv", ["image", "weight"], ["logits"]) + field(
        5, field(1, "pads") + b"".join(field(8, side) for side in [rows // 2, columns // 2] * 2) + field(20, 7)
    )
    return onnx_of(graph_of([padded, node("Sigmoid", ["logits"], ["probabilities"])], tensors), card)


def test_a_sound_model_passes_all_checks_in_order(sound):
    found = findings(sound)
    assert [finding.check for finding in found] == CHECKS
    assert all(finding.passed for finding in found)


def test_what_is_no_onnx_file_fails_first(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a picture")
    assert "no ONNX model" in fails(path, "ONNX")


def test_a_file_that_chooses_is_said_to_be_no_model(tmp_path):
    path = tmp_path / "chooser.onnx"
    path.write_bytes(chooser_onnx(listed(("a", b"a"), ("b", b"b"))))
    assert "no model but a file that chooses" in fails(path, "ONNX")


@pytest.mark.parametrize(("ir_version", "opset"), [(11, 17), (8, 22)])
def test_a_file_that_is_too_new_is_refused(sound, ir_version, opset):
    content = sound.read_bytes()
    assert content.count(field(8, field(2, 17))) == 1
    content = content.replace(field(8, field(2, 17)), field(8, field(2, opset)))
    assert content.startswith(field(1, 8))
    sound.write_bytes(field(1, ir_version) + content[2:])
    assert f"opset {opset} and IR version {ir_version}" in fails(sound, "opset and IR")


def test_a_file_without_a_card_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_onnx(None))
    assert "no cpunet model card" in fails(path, "card")


def test_channels_must_be_those_of_the_card(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_onnx(channels=3))
    assert "3 channels and its card names 1" in fails(path, "names")


def test_values_must_be_probabilities(tmp_path):
    path = tmp_path / "model.onnx"
    graph = graph_of([node("Exp", ["image"], ["probabilities"])])
    path.write_bytes(onnx_of(graph))
    assert "from 1 to 2.71; each must lie between 0 and 1" in fails(path, "shapes")


def test_an_output_of_another_size_fails(tmp_path):
    path = tmp_path / "model.onnx"
    halved = b"".join(
        field(5, field(1, name) + field(8, 2) + field(8, 2) + field(20, 7)) for name in ("kernel_shape", "strides")
    )
    path.write_bytes(onnx_of(graph_of([node("MaxPool", ["image"], ["probabilities"]) + halved])))
    assert "returned the shape (1, 1, 8, 8); its card promises (1, 1, 16, 16)" in fails(path, "shapes")


def test_a_batch_must_give_what_its_images_give_alone(tmp_path):
    path = tmp_path / "model.onnx"
    mean = field(5, field(1, "axes") + field(8, 0) + field(20, 7))
    nodes = [node("ReduceMean", ["image"], ["mean"]) + mean, node("Min", ["image", "mean"], ["probabilities"])]
    path.write_bytes(onnx_of(graph_of(nodes)))
    assert "a batch of two and its images one by one disagree" in fails(path, "shapes")


def test_a_file_without_a_stored_test_fails(tiny_model):
    assert "carries no test" in fails(tiny_model, "stored test")


def test_another_value_than_the_stored_one_fails_with_both(sound, tiny_model):
    model = load_model(tiny_model, "cpu")
    output = model.predict(synthetic_input(model.card.input))
    output[0, 0, 5, 6] = 2.0
    tiny_model.write_bytes(tiny_onnx() + stored(tiny_model, output=output))
    text = fails(tiny_model, "stored test")
    assert "(0, 0, 5, 6): 0." in text
    assert "against 2.000000" in text


def test_a_stored_test_that_the_network_does_not_take_fails(tiny_model):
    tiny_model.write_bytes(tiny_onnx() + stored(tiny_model, input=np.zeros((1, 1, 9, 9), np.float32)))
    assert "(1, 1, 9, 9), which does not fit the card" in fails(tiny_model, "stored test")


def test_the_reference_is_compared_too(sound):
    model = load_model(sound, "cpu")
    same = findings(sound, Reference("torch", model.predict))
    assert [finding.check for finding in same][6] == "values of torch"
    assert same[-1].passed
    text = fails(sound, "values of torch", Reference("torch", lambda batch: model.predict(batch) + 0.01))
    assert "onnxruntime and torch disagree at 1000000 elements a million" in text


def test_a_halo_that_is_too_small_shows_at_the_tiles(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(convolved([[0.3] * 7] * 7))
    path.write_bytes(path.read_bytes() + stored(path))
    assert "tiles and the whole disagree" in fails(path, "tiles")


def test_a_halo_smaller_than_what_an_impulse_reaches_fails(tmp_path):
    path = tmp_path / "model.onnx"
    weights = np.zeros((13, 13))
    weights[6, 6], weights[6, 12] = 1.0, 0.02  # too weak to show at the tiles' edges, and yet noticed
    path.write_bytes(convolved(weights.tolist(), changed_card(output={"roles": ["foreground"], "halo": 4})))
    path.write_bytes(path.read_bytes() + stored(path))
    text = fails(path, "halo")
    assert "sees 6 pixels far, and its card promises a halo of 4" in text
    assert "--set output.halo=6" in text


def test_a_network_of_one_size_is_verified_in_that_size(tmp_path):
    path = tmp_path / "fixed.onnx"
    path.write_bytes(tiny_onnx(changed_card(input={"tile_shape": [64, 96]}), size=(64, 96), batch=1))
    path.write_bytes(path.read_bytes() + stored(path))
    found = findings(path)
    assert [finding.check for finding in found] == CHECKS
    assert all(finding.passed for finding in found), found
    assert "tiles of 64 x 96 pixels alone" in found[3].text


def test_a_stored_test_of_another_size_is_refused(tmp_path):
    path = tmp_path / "fixed.onnx"
    path.write_bytes(tiny_onnx(changed_card(input={"tile_shape": [64, 96]}), size=(64, 96)))
    other = np.zeros((1, 1, 64, 64), np.float32)
    path.write_bytes(path.read_bytes() + entry(STORED_TEST_KEY, stored_test_to_json(StoredTest(other, other))))
    assert "64 x 96 pixels alone" in fails(path, "stored test")
