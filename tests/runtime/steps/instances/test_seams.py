"""What overlapping tiles see twice is one object, and the tile that sees it whole counts."""

import numpy as np
import pytest

from cpunet.errors import ModelError
from cpunet.steps.instances import seams
from cpunet.steps.instances.seams import objects_across_seams

# Two tiles of 100 columns that overlap by 20, on an image of 100 x 180.
WINDOWS, SHAPE = [(0, 0, 100, 100), (0, 80, 100, 180)], (100, 180)


def numbered(boxes, scores, tiles, windows=WINDOWS, shape=SHAPE, overlap=0.5):
    found = objects_across_seams(
        np.array(boxes, np.float32), np.array(scores, np.float32), np.array(tiles), windows, shape, overlap
    )
    assert found.dtype == np.int32
    return found.tolist()


def test_of_two_whole_ones_the_higher_score_counts():
    assert numbered([[10, 82, 20, 94], [10, 83, 20, 95]], [0.7, 0.9], [0, 1]) == [0, 1]


def test_the_whole_one_counts_also_with_the_lower_score():
    assert numbered([[10, 85, 20, 100], [10, 85, 20, 110]], [0.99, 0.6], [0, 1]) == [0, 1]


def test_a_small_piece_is_no_object_beside_the_whole():
    piece, whole = [10, 95, 30, 100], [10, 95, 30, 130]
    assert numbered([piece, whole], [0.9, 0.5], [0, 1]) == [0, 1]


def test_an_object_at_the_frame_of_the_image_is_whole():
    assert numbered([[0, 0, 20, 20], [80, 160, 100, 180]], [0.5, 0.5], [0, 1]) == [1, 2]


def test_neighbors_within_a_tile_are_left_as_the_network_gave_them():
    assert numbered([[10, 10, 30, 30], [10, 12, 30, 32]], [0.9, 0.8], [0, 0]) == [1, 2]


def test_objects_that_touch_in_two_tiles_stay_two():
    left, right = [10, 82, 20, 90], [10, 90, 20, 98]
    assert numbered([left, right, left, right], [0.9, 0.8, 0.7, 0.95], [0, 0, 1, 1]) == [1, 0, 0, 2]


def test_an_object_that_no_tile_sees_whole_is_joined_of_its_pieces():
    assert numbered([[10, 30, 40, 100], [10, 80, 40, 150], [60, 10, 70, 20]], [0.9, 0.8, 0.9], [0, 1, 0]) == [1, 1, 2]


def test_pieces_of_two_objects_are_not_joined():
    assert numbered([[10, 30, 30, 100], [40, 80, 60, 150]], [0.9, 0.8], [0, 1]) == [1, 2]


def test_one_that_was_dropped_drops_no_other():
    windows = [(0, 0, 100, 100), (0, 60, 100, 160), (0, 80, 100, 180)]
    boxes = [[10, 82, 20, 92], [10, 85, 20, 95], [10, 88, 20, 98]]
    # The second overlaps with both others and loses against the first, so that the third stays.
    assert numbered(boxes, [0.9, 0.8, 0.7], [0, 1, 2], windows) == [1, 0, 2]


def test_numbers_follow_the_rows():
    assert numbered([[50, 10, 60, 20], [10, 150, 20, 160], [10, 10, 20, 20]], [0.9, 0.8, 0.7], [0, 1, 0]) == [3, 2, 1]


def test_nothing_is_no_object():
    assert numbered(np.zeros((0, 4)), [], np.zeros(0, int)) == []


def test_a_network_that_gives_one_object_again_and_again_is_refused_before_the_memory_is_full():
    boxes = [[10, 82, 20, 94]] * 400
    with pytest.raises(ModelError, match="of 400 objects of all tiles, more than 25600 pairs are the same"):
        numbered(boxes, [0.5] * 400, [0, 1] * 200)
    assert sum(number > 0 for number in numbered(boxes[:60], [0.5] * 60, [0, 1] * 30)) == 30


def test_boxes_compared_in_parts_are_the_same_objects(monkeypatch):
    left = np.random.default_rng(0).uniform(82, 90, (40, 1)) + np.array([0, 0, 0, 0])
    boxes = left + np.repeat(np.arange(20), 2)[:, np.newaxis] * [4, 0, 4, 0] - [82, 0, 72, -10]
    scores, tiles = np.linspace(0.5, 0.9, 40), [0, 1] * 20
    at_once = numbered(boxes, scores, tiles)
    monkeypatch.setattr(seams, "PAIRS_AT_ONCE", 30)
    assert numbered(boxes, scores, tiles) == at_once
    assert 0 in at_once
