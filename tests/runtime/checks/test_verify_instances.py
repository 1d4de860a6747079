"""The checks of a model that gives objects: each fails for its own reason."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cpunet.checks.instances_agreement import InstancesTolerance, check_instances_agreement
from cpunet.checks.stored_test import (
    STORED_TEST_KEY,
    StoredInstancesTest,
    stored_instances_test_from_json,
    stored_test_to_json,
)
from cpunet.checks.synthetic import synthetic_input
from cpunet.checks.verify import Reference, verify_model
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.instances import Instances
from cpunet.model.session import load_model
from tests.tiny_instances import instances_card, instances_onnx
from tests.tiny_onnx import field

CHECKS = ["ONNX", "opset and IR", "card", "names", "shapes", "stored test", "halo", "tiles"]


def with_test(path, **changes):
    """Write the objects that a model gives for the usual input into its file, with parts of them replaced."""
    model = load_model(path, "cpu")
    image = synthetic_input(model.card.input)
    found = model.find_instances(image)
    assert len(found.scores) > 0
    text = stored_test_to_json(StoredInstancesTest(image, found._replace(**changes)))
    path.write_bytes(path.read_bytes() + field(14, field(1, STORED_TEST_KEY) + field(2, text)))
    return text


@pytest.fixture
def written(tmp_path):
    def write(**how):
        path = tmp_path / "blobs.onnx"
        path.write_bytes(instances_onnx(**how))
        return path

    return write


def test_a_sound_model_passes_all_checks_in_order(written):
    path = written()
    with_test(path)
    found = list(verify_model(path))
    assert [each.check for each in found] == CHECKS
    assert [each.text for each in found if not each.passed] == []
    said = {each.check: each.text for each in found}
    assert said["card"].endswith("nuclei in, objects out")
    assert "each object of up to 48 pixels is whole in one tile" in said["halo"]
    assert "objects are the same in tiles" in said["tiles"]


def last(path, reference=None):
    *before, failed = verify_model(path, reference)
    assert all(each.passed for each in before)
    assert not failed.passed
    return failed


def test_a_halo_smaller_than_half_an_object_is_refused(written):
    path = written(card=instances_card(output={"halo": 16}))
    with_test(path)
    failed = last(path)
    assert failed.check == "halo"
    assert "output.halo=20" in failed.text


def test_another_output_than_the_stored_one_is_told(written):
    path = written()
    model = load_model(path, "cpu")
    found = model.find_instances(synthetic_input(model.card.input))
    with_test(path, boxes=found.boxes + 2)
    failed = last(path)
    assert failed.check == "stored test"
    assert "is missing in the first" in failed.text


def test_another_program_is_compared(written):
    path = written()
    with_test(path)
    model = load_model(path, "cpu")
    same = Reference("torch", model.find_instances)
    assert all(each.passed for each in verify_model(path, same))

    def worse(image):
        found = model.find_instances(image)
        return found._replace(scores=found.scores * np.float32(0.9))

    failed = last(path, Reference("torch", worse))
    assert failed.check == "values of torch"
    assert "scores by" in failed.text


def test_a_stored_test_comes_back_as_it_was(written):
    path = written()
    test = stored_instances_test_from_json(with_test(path))
    model = load_model(path, "cpu")
    for before, after in zip(model.find_instances(test.input), test.output):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("boxes"),
        lambda content: content["masks"].update(shape=[1, 2]),
        lambda content: content["scores"].update(shape=[10**9]),
        lambda content: content["scores"].update(values="no base64!"),
    ],
    ids=["no boxes", "flat masks", "more scores than there are", "no numbers"],
)
def test_a_damaged_stored_test_is_refused(written, change):
    content = json.loads(with_test(written()))
    change(content)
    with pytest.raises(ModelError, match="stored test"):
        stored_instances_test_from_json(json.dumps(content))


MASKS = np.random.default_rng(0).random((3, 4, 4), np.float32)
EXPECTED = Instances(
    np.array([[0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]], np.float32), np.array([0.9, 0.8, 0.505]), MASKS
)


def compared(found, threshold=0.5):
    return check_instances_agreement(found, EXPECTED, threshold, InstancesTolerance(), "the two")


def test_the_order_and_rounding_do_not_count():
    turned = EXPECTED.chosen([2, 0, 1])
    assert "boxes within 2.0e-01" in compared(turned._replace(boxes=turned.boxes + np.float32(0.2)))


def test_an_object_at_the_threshold_may_be_missing():
    compared(EXPECTED.chosen([0, 1]))
    more = replace(InstancesTolerance(), score=0.001)
    with pytest.raises(DisagreementError, match="missing in the first"):
        check_instances_agreement(EXPECTED.chosen([0, 1]), EXPECTED, 0.5, more, "the two")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (EXPECTED.chosen([1, 2]), "missing in the first"),
        (EXPECTED.chosen([0, 0, 1, 2]), "missing in the second"),
        (EXPECTED._replace(scores=np.array([0.9, 0.7, 0.505])), "scores by 0.1"),
        (EXPECTED._replace(masks=1 - MASKS), "masks by"),
        (EXPECTED._replace(masks=MASKS[:, :3, :3]), "shape of masks"),
    ],
    ids=["one less", "one twice", "a score", "masks", "size of masks"],
)
def test_what_differs_is_named(found, message):
    with pytest.raises(DisagreementError, match=message):
        compared(found)


def test_tiles_that_show_other_objects_than_the_whole_are_told(written, monkeypatch):
    path = written()
    with_test(path)
    monkeypatch.setattr("cpunet.steps.instances.find.objects_across_seams", lambda boxes, *others: numbers_of(boxes))
    failed = last(path)
    assert failed.check == "tiles"
    assert "tiles of" in failed.text
    assert "output.halo" in failed.text


def numbers_of(boxes):
    """As if nothing were seen twice: every other box is lost."""
    return np.where(np.arange(len(boxes)) % 2, 0, np.arange(len(boxes)) + 1).astype(np.int32)


def test_a_network_that_does_not_know_nuclei_is_not_judged_by_its_tiles(written):
    path = written(card=instances_card(input={"diameter_px": 38.0}, output={"halo": 30}))
    with_test(path)
    *_, tiles = verify_model(path)
    assert tiles.passed
    assert tiles.text.startswith("not judged: the network finds")
