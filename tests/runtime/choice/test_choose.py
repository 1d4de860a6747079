"""Of candidates that overlap, the better one is kept."""

import numpy as np
import pytest

from cpunet.choice.choose import choose_candidates

WHOLE = np.array([[1, 1, 1, 1, 1, 1, 0, 0]], np.int32)
PARTS = np.array([[1, 1, 1, 2, 2, 2, 0, 3]], np.int32)


def choose(labels, predicted, least=0.3, most=0.5):
    return choose_candidates(labels, np.array(predicted, np.float32), least, most)


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ([0.6, 0.9, 0.8, 0.7], [[1, 1, 1, 2, 2, 2, 0, 3]]),
        ([0.95, 0.9, 0.8, 0.7], [[1, 1, 1, 1, 1, 1, 0, 2]]),
        ([0.85, 0.9, 0.8, 0.7], [[1, 1, 1, 2, 2, 2, 0, 3]]),
        ([0.6, 0.9, 0.29, 0.3], [[1, 1, 1, 0, 0, 0, 0, 2]]),
        ([0.2, 0.2, 0.2, 0.2], [[0, 0, 0, 0, 0, 0, 0, 0]]),
    ],
)
def test_the_whole_or_its_parts_are_kept_and_never_both(predicted, expected):
    chosen = choose([WHOLE, PARTS], predicted)
    assert chosen.labels.tolist() == expected
    assert len(chosen.predicted_iou) == len(chosen.model) == chosen.labels.max()
    assert (chosen.predicted_iou >= 0.3).all()


def test_each_object_keeps_its_prediction_and_its_model():
    chosen = choose([WHOLE, PARTS], [0.6, 0.9, 0.8, 0.95])
    by_object = {int(chosen.labels[0, x]): x for x in (0, 4, 7)}
    for number, x in by_object.items():
        assert chosen.predicted_iou[number - 1] == pytest.approx({0: 0.9, 4: 0.8, 7: 0.95}[x])
    assert chosen.model.tolist() == [1, 1, 1]


def test_pixels_that_two_claim_belong_to_the_better_one():
    one, other = (np.zeros((1, 10), np.int32) for _ in range(2))
    one[0, 0:6], other[0, 4:10] = 1, 1
    assert choose([one, other], [0.9, 0.8]).labels.tolist() == [[1] * 6 + [2] * 4]
    assert choose([one, other], [0.7, 0.8]).labels.tolist() == [[2] * 4 + [1] * 6]


def test_of_an_object_that_is_cut_the_largest_piece_is_kept():
    bar, across = (np.zeros((3, 9), np.int32) for _ in range(2))
    bar[1], across[:, 3] = 1, 1
    labels = choose([bar, across], [0.8, 0.9]).labels
    assert (labels[1] == 2).tolist() == [False] * 4 + [True] * 5
    assert (labels[:, 3] == 1).all()
    assert not labels[1, :3].any()


def test_of_equals_the_earlier_model_is_kept():
    chosen = choose([WHOLE, WHOLE], [0.8, 0.8])
    assert chosen.model.tolist() == [0]


def test_nothing_found_is_nothing_chosen():
    nothing = np.zeros((4, 5), np.int32)
    chosen = choose([nothing, nothing], [])
    assert chosen.labels.shape == (4, 5)
    assert not chosen.labels.any()
    assert len(chosen.predicted_iou) == 0


def test_one_model_alone_may_find_something():
    chosen = choose([np.zeros_like(PARTS), PARTS], [0.9, 0.8, 0.7])
    assert chosen.labels.max() == 3
    assert chosen.model.tolist() == [1, 1, 1]


def test_an_object_without_a_pixel_left_is_gone():
    """Three good objects cover one that none of them shares half of."""
    middle, around = np.zeros((1, 9), np.int32), np.zeros((1, 9), np.int32)
    middle[0, 3:6] = 1
    around[0, :4], around[0, 4], around[0, 5:] = 1, 2, 3
    labels = choose([middle, around], [0.5, 0.9, 0.8, 0.7], most=1.0).labels
    assert sorted(np.unique(labels)) == [1, 2, 3]
