"""Objects of a network are believed only after they were checked."""

import numpy as np
import pytest

from cpunet.errors import ModelError
from cpunet.model.instances import checked_instances, joined_instances, no_instances

SHAPE = (1, 1, 50, 60)


def outputs(count=3, side=28, **changed):
    given = {
        "boxes": np.tile(np.array([1, 2, 11, 12], np.float32), (count, 1)),
        "scores": np.full(count, 0.5, np.float32),
        "masks": np.full((count, side, side), 0.5, np.float32),
    }
    return list({**given, **changed}.values())


def test_sound_ones_pass_unchanged():
    found = checked_instances(outputs(), SHAPE, 3, "it")
    for before, after in zip(outputs(), found):
        np.testing.assert_array_equal(before, after)
    assert len(checked_instances(outputs(0), SHAPE, 3, "it").scores) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"boxes": np.zeros((3, 5), np.float32)}, r"boxes of shape \(3, 5\)"),
        ({"boxes": np.zeros((2, 4), np.float32)}, r"boxes of shape \(2, 4\)"),
        ({"scores": np.zeros((3, 1), np.float32)}, r"scores of \(3, 1\)"),
        ({"masks": np.zeros((3, 28, 27), np.float32)}, r"masks of \(3, 28, 27\)"),
        ({"masks": np.zeros((3, 0, 0), np.float32)}, "M from 1 to"),
        ({"masks": np.zeros((3, 300, 300), np.float32)}, "M from 1 to 256"),
        ({"scores": np.array([0.5, np.nan, 0.5], np.float32)}, "scores holds values that are no numbers"),
        ({"boxes": np.full((3, 4), np.inf, np.float32)}, "boxes holds values that are no numbers"),
        ({"scores": np.array([0.5, 1.5, 0.5], np.float32)}, "scores holds values from 0 to 1.5"),
        ({"masks": np.full((3, 28, 28), -4, np.float32)}, "masks holds values from -4"),
    ],
)
def test_what_is_no_object_is_refused(changed, message):
    with pytest.raises(ModelError, match=message):
        checked_instances(outputs(**changed), SHAPE, 3, "it")


def test_more_than_promised_are_refused_with_the_number_for_the_card():
    with pytest.raises(ModelError, match="max_objects=3"):
        checked_instances(outputs(), SHAPE, 2, "it")


def test_rounding_is_cut_off_and_boxes_without_area_are_left_out():
    boxes = np.array([[1, 2, 11, 12], [5, 5, 5, 9], [-1e9, 0, 1e9, 10]], np.float32)
    found = checked_instances(outputs(boxes=boxes, scores=np.array([1.0005, 0.5, 0.5], np.float32)), SHAPE, 3, "it")
    assert found.scores.tolist() == [1.0, 0.5]
    assert found.boxes[1].tolist() == [-50, 0, 100, 10]


def test_parts_without_an_object_say_nothing_of_masks():
    part = checked_instances(outputs(2, side=14), SHAPE, 3, "it")
    assert joined_instances([no_instances(), part, no_instances(28)]).masks.shape == (2, 14, 14)
    assert joined_instances([]).boxes.shape == (0, 4)


def test_masks_of_different_sizes_are_refused_by_their_sizes():
    parts = [checked_instances(outputs(1, side), SHAPE, 3, "it") for side in (14, 28)]
    with pytest.raises(ModelError, match="masks of different sizes: of 14 x 14 for one tile, and of 28 x 28"):
        joined_instances(parts)
