"""The checks of a model of volumes: along Z as along Y and X."""

from types import SimpleNamespace

import numpy as np
import pytest

from cpunet.checks.stored_test import STORED_TEST_KEY, StoredTest, stored_test_to_json
from cpunet.checks.synthetic import synthetic_input
from cpunet.checks.verify import Reference, verify_model
from cpunet.checks.verify_volumes import check_memory, check_repetition
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.card import card_from_content
from cpunet.model.session import load_model
from tests.tiny_onnx import attribute, field, node, tensor, tiny_onnx
from tests.tiny_volumes import VOLUME_CARD, changed_volume_card, mean_volume_onnx, tiny_volume_onnx, volume_onnx

CHECKS = ["ONNX", "opset and IR", "card", "names", "shapes", "stored test", "tiles", "halo", "repetition", "memory"]
OF_MEAN = changed_volume_card(output={"halo": 4, "halo_planes": 2})


def with_test(path, content, **changes):
    """Write a model with the test that its card asks for, parts of it replaced."""
    path.write_bytes(content)
    model = load_model(path, "cpu")
    image = synthetic_input(model.card.input)
    test = StoredTest(**{"input": image, "output": model.predict(image), **changes})
    path.write_bytes(content + field(14, field(1, STORED_TEST_KEY) + field(2, stored_test_to_json(test))))
    return path


def fails(path, check, reference=None):
    """Return the message of the check that fails, which must be the one named."""
    *before, last = verify_model(path, reference)
    assert all(finding.passed for finding in before), before
    assert (last.check, last.passed) == (check, False)
    return last.text


def seen_along(axis, far, weight):
    """Return a network that sees the voxel itself, and with a small weight one so far away along an axis."""
    sizes = [1, 1, 1]
    sizes[axis] = 2 * far + 1
    weights = np.zeros(sizes)
    weights[tuple(size // 2 for size in sizes)] = 1.0
    weights[0, 0, 0] = weight
    pads = [size // 2 for size in sizes] * 2
    nodes = [node("Conv", ["image", "weight"], ["logits"]) + attribute("pads", pads)]
    nodes += [node("Sigmoid", ["logits"], ["probabilities"])]
    return volume_onnx(nodes, [tensor("weight", [1, 1, *sizes], weights.ravel().tolist())], OF_MEAN)


def test_a_sound_model_of_volumes_passes_all_checks_in_order(tmp_path):
    found = list(verify_model(with_test(tmp_path / "m.onnx", mean_volume_onnx(OF_MEAN))))
    assert all(finding.passed for finding in found), found
    assert [finding.check for finding in found] == CHECKS
    texts = {finding.check: finding.text for finding in found}
    assert "tiny_3d 1.0.0 (3-D): nuclei in, foreground out" in texts["card"]
    assert "batch, depth, height and width are free" in texts["names"]
    assert "1x1x4x16x16, 2x1x4x16x28" in texts["shapes"]
    assert texts["shapes"].endswith("1x1x1x15x13")  # one plane of an odd size
    assert "tiles of 12 planes of 24 x 24 pixels agree" in texts["tiles"]
    assert "2 planes and 4 pixels; an impulse is noticed at most 1 planes and 2 pixels far" in texts["halo"]


@pytest.mark.parametrize("halo", [{"halo_planes": 0}, {"halo": 0}], ids=["planes", "pixels"])
def test_a_halo_that_is_too_small_shows_at_the_tiles(tmp_path, halo):
    card = changed_volume_card(output={"halo": 8, "halo_planes": 4, **halo})
    path = with_test(tmp_path / "m.onnx", mean_volume_onnx(card, reach=(3, 6, 6)))
    assert "tiles and the whole disagree" in fails(path, "tiles")


@pytest.mark.parametrize(
    ("axis", "far", "wanted"), [(0, 4, "halo_planes=4"), (1, 7, "output.halo=7"), (2, 7, "output.halo=7")]
)
def test_a_halo_smaller_than_what_an_impulse_reaches_fails_along_each_axis(tmp_path, axis, far, wanted):
    path = with_test(tmp_path / "m.onnx", seen_along(axis, far, 0.02))
    text = fails(path, "halo")
    assert "its card promises a halo of 2 planes and 4 pixels" in text
    assert wanted in text


def test_a_stored_test_of_an_image_is_refused(tmp_path):
    image = np.zeros((1, 1, 8, 8), np.float32)
    path = with_test(tmp_path / "m.onnx", tiny_volume_onnx(), input=image, output=image)
    assert "must each have a shape of five numbers" in fails(path, "stored test")


def test_a_stored_test_of_a_number_of_planes_that_the_card_refuses_fails(tmp_path):
    volume = np.zeros((1, 1, 3, 8, 8), np.float32)
    path = with_test(tmp_path / "m.onnx", tiny_volume_onnx(), input=volume, output=volume)
    assert "sides divisible by 4, planes by 2" in fails(path, "stored test")


def test_another_value_than_the_stored_one_fails(tmp_path):
    path = with_test(tmp_path / "m.onnx", tiny_volume_onnx())
    output = load_model(path, "cpu").predict(synthetic_input(load_model(path, "cpu").card.input))
    output[0, 0, 3, 5, 6] = 2.0
    assert "(0, 0, 3, 5, 6): 0." in fails(with_test(path, tiny_volume_onnx(), output=output), "stored test")


def test_the_reference_is_compared_in_three_dimensions(tmp_path):
    path = with_test(tmp_path / "m.onnx", mean_volume_onnx(OF_MEAN))
    model = load_model(path, "cpu")
    assert all(finding.passed for finding in verify_model(path, Reference("torch", model.predict)))
    text = fails(path, "values of torch", Reference("torch", lambda batch: model.predict(batch) + 0.01))
    assert "onnxruntime and torch disagree at 1000000 elements a million" in text


def test_a_network_of_images_with_a_card_of_volumes_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny_onnx(VOLUME_CARD))
    assert "takes images, (N, C, Y, X), and its card is one of volumes" in fails(path, "names")


def test_a_network_that_gives_something_else_the_second_time_fails():
    outputs = iter([np.zeros((1, 1, 8, 48, 48), np.float32), np.full((1, 1, 8, 48, 48), 0.1, np.float32)])
    model = SimpleNamespace(path="m.onnx", card=card_from_content(VOLUME_CARD), predict=lambda batch: next(outputs))
    with pytest.raises(DisagreementError, match=r"other probabilities when it is run again, by up to 1\.0e-01"):
        check_repetition(model)


def test_a_network_whose_smallest_tiles_do_not_fit_into_the_memory_fails():
    model = SimpleNamespace(
        path="m.onnx",
        card=card_from_content(changed_volume_card(output={"halo": 200, "halo_planes": 60})),
        needed_bytes=lambda shape: 2000 * int(np.prod(shape)),
    )
    with pytest.raises(ModelError, match=r"3\.22 GB are the limit\. Its halo leaves no smaller ones"):
        check_memory(model)
