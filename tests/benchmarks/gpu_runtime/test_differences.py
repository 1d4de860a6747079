import numpy as np
import pytest

from benchmarks.gpu_runtime.differences import difference


def squares(side=40):
    labels = np.zeros((200, 200), np.int32)
    labels[10 : 10 + side, 10 : 10 + side], labels[100:140, 100:140] = 1, 2
    return labels


def test_numbers_do_not_matter():
    labels = squares()
    found = difference(labels, np.array([0, 2, 1])[labels])
    assert found == (0, 0.0, 2, 2, 2, 1.0)
    assert found.is_rounding


@pytest.mark.parametrize(
    ("other", "pixels", "pairs", "rounding"),
    [
        (squares(39), 79, 2, False),
        (np.where(np.arange(40000).reshape(200, 200) == 10 * 200 + 10, 0, squares()), 1, 2, True),
        (np.where(squares() == 2, 0, squares()), 1600, 1, False),
        (np.zeros((200, 200), np.int32), 3200, 0, False),
    ],
    ids=["79 pixels of 40,000", "one pixel", "an object is missing", "nothing found"],
)
def test_pixels_and_pairs_are_counted(other, pixels, pairs, rounding):
    found = difference(squares(), other)
    assert (found.pixels, found.pairs, found.is_rounding) == (pixels, pairs, rounding)


def test_an_object_more_counts_too():
    more = squares()
    more[180:190, 180:190] = 3
    found = difference(squares(), more)
    assert (found.pixels, found.objects, found.other_objects, found.pairs) == (100, 2, 3, 2)


def test_nothing_in_both_is_no_proof():
    empty = np.zeros((9, 9), np.int32)
    assert not difference(empty, empty).is_rounding
