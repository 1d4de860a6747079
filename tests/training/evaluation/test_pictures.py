import numpy as np
import pytest

from cpunet.training.evaluation.pictures import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    FOUND,
    WINDOW_PX,
    Window,
    outcome_picture,
    outcomes,
    worst_window,
)
from tests.scored_methods import FIRST, PREDICTION, SECOND, THIRD, TRUTH, boxes

WHOLE = Window(slice(None), slice(None), 1)


GRAY = np.random.default_rng(0).integers(90, 110, TRUTH.shape).astype(np.uint8)


def is_gray(pixels):
    return (pixels.min(axis=-1) == pixels.max(axis=-1)).all()


def test_objects_are_sorted_by_what_became_of_them():
    shown = outcomes(TRUTH * 5, PREDICTION)
    np.testing.assert_array_equal(shown.found, boxes(FIRST) * 2)
    np.testing.assert_array_equal(shown.false_positive, boxes(THIRD))
    np.testing.assert_array_equal(shown.false_negative, boxes(SECOND) * 10)


def test_an_object_with_an_iou_of_just_the_threshold_is_wrong():
    truth, prediction = boxes((0, 10, 0, 10)), boxes((0, 7, 0, 10))
    assert not outcomes(truth, prediction).found.any()
    assert outcomes(truth, boxes((0, 8, 0, 10))).found.any()


def test_found_false_and_missed_objects_have_their_colors():
    picture = outcome_picture(GRAY, WHOLE, outcomes(TRUTH, PREDICTION))
    assert picture.dtype == np.uint8
    assert tuple(picture[2, 8]) == FOUND
    assert is_gray(picture[4:12, 4:12])
    assert tuple(picture[20, 25]) == FALSE_POSITIVE
    red, green, blue = picture[24:28, 24:28].reshape(-1, 3).T.astype(int)
    assert (red > green + 30).all()
    assert (red > blue + 30).all()
    red, green, blue = picture[6:10, 24:28].reshape(-1, 3).T.astype(int)
    assert (blue > green + 15).all()
    assert (blue > red + 30).all()
    outside = (TRUTH == 0) & (PREDICTION == 0)
    assert is_gray(picture[outside])


def test_only_missed_objects_are_dashed():
    picture = outcome_picture(GRAY, WHOLE, outcomes(TRUTH, PREDICTION))

    def share(row, columns, color):
        return (picture[row, columns] == color).all(axis=-1).mean()

    assert share(2, slice(2, 14), FOUND) == share(20, slice(20, 32), FALSE_POSITIVE) == 1
    assert 0.3 < share(2, slice(20, 32), FALSE_NEGATIVE) < 0.7


def test_red_lies_over_blue_where_an_object_is_badly_outlined():
    shown = outcomes(boxes((2, 30, 2, 30)), boxes((2, 14, 2, 14)))
    picture = outcome_picture(GRAY, WHOLE, shown).astype(int)
    both, missed = picture[8, 8], picture[20, 20]
    assert both[0] > both[1] + 30
    assert both[2] > both[1]
    assert both[0] > missed[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_window_is_where_most_is_wrong(seed):
    wrong = np.random.default_rng(seed).random((WINDOW_PX + 9, WINDOW_PX + 6)) < 0.01
    window = worst_window(wrong, 10)
    best = max(wrong[top:, left:][:WINDOW_PX, :WINDOW_PX].sum() for top in range(10) for left in range(7))
    assert wrong[window.rows, window.columns].shape == (WINDOW_PX, WINDOW_PX)
    assert wrong[window.rows, window.columns].sum() == best
    assert window.step == 1


@pytest.mark.parametrize(
    ("shape", "diameter", "shown"),
    [((30, 50), 10, (30, 50)), ((2000, 900), 80, (267, 267)), ((2000, 300), 200, (334, 50))],
    ids=["small image", "large objects", "narrow image of huge objects"],
)
def test_pictures_stay_small(shape, diameter, shown):
    image, labels = np.zeros(shape, np.uint16), np.zeros(shape, np.int32)
    labels[5:25, 5:25] = 1
    window = worst_window(labels != 0, diameter)
    picture = outcome_picture(image, window, outcomes(labels, labels * 0))
    assert picture.shape == (*shown, 3)
    assert max(picture.shape) <= WINDOW_PX
    assert (picture == FALSE_NEGATIVE).all(axis=-1).any()
