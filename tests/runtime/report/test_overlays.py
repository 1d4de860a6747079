import numpy as np
import pytest

from cpunet.outcomes import outcomes
from cpunet.report.overlays import (
    STYLES,
    WANTED,
    WINDOW_PX,
    Window,
    outcome_picture,
    plain_picture,
    worst_window,
)
from tests.boxes import FIRST, PREDICTION, TRUTH, boxes

WHOLE = Window(slice(None), slice(None), 1)
COLOR = {style.fate: style.color for style in STYLES}
GRAY = np.random.default_rng(0).integers(90, 110, TRUTH.shape).astype(np.uint8)


def is_gray(pixels):
    return (pixels.min(axis=-1) == pixels.max(axis=-1)).all()


def share(picture, row, columns, color):
    return (picture[row, columns] == color).all(axis=-1).mean()


def test_found_invented_and_missed_objects_have_their_colors():
    picture = outcome_picture(GRAY, WHOLE, outcomes(TRUTH, PREDICTION))
    assert picture.dtype == np.uint8
    assert share(picture, 2, slice(2, 14), COLOR["kept"]) == 1
    assert is_gray(picture[4:12, 4:12])
    assert share(picture, 20, slice(20, 32), COLOR["invented"]) == 1
    red, green, blue = picture[24:28, 24:28].reshape(-1, 3).T.astype(int)
    assert (red > green + 30).all()
    assert (red > blue + 30).all()
    red, green, blue = picture[6:10, 24:28].reshape(-1, 3).T.astype(int)
    assert (blue > green + 15).all()
    assert (blue > red + 30).all()
    assert is_gray(picture[(TRUTH == 0) & (PREDICTION == 0)])


def test_missed_objects_and_true_outlines_are_dashed():
    picture = outcome_picture(GRAY, WHOLE, outcomes(TRUTH, PREDICTION))
    assert 0.3 < share(picture, 2, slice(20, 32), COLOR["missed"]) < 0.7
    larger = outcome_picture(GRAY, WHOLE, outcomes(boxes((5, 25, 5, 25)), boxes((2, 28, 2, 28))))
    assert 0.3 < share(larger, 5, slice(5, 25), WANTED) < 0.7
    assert share(larger, 2, slice(2, 28), COLOR["wrong_size"]) == 1


def test_merged_and_cut_objects_are_told_apart():
    two, one = boxes(FIRST, (2, 14, 14, 26)), boxes((2, 14, 2, 26))
    for truth, prediction, fate in ((two, one, "merged"), (one, two, "cut")):
        picture = outcome_picture(GRAY, WHOLE, outcomes(truth, prediction))
        assert (picture == COLOR[fate]).all(axis=-1).sum() > 40


def test_the_plain_picture_has_nothing_drawn_on_it():
    assert is_gray(plain_picture(GRAY, WHOLE))
    color = np.random.default_rng(0).integers(0, 255, (30, 20, 3), np.uint8)
    assert plain_picture(color, Window(slice(0, 20), slice(0, 10), 2)).shape == (40, 20, 3)


def test_the_names_of_the_colors_and_the_colors_differ():
    assert len({style.color for style in STYLES}) == len({style.color_name for style in STYLES}) == len(STYLES)


@pytest.mark.parametrize("seed", range(3))
def test_the_window_is_where_most_is_wrong(seed):
    wrong = np.random.default_rng(seed).random((WINDOW_PX + 9, WINDOW_PX + 6)) < 0.01
    window = worst_window(wrong, 30)
    best = max(wrong[top:, left:][:WINDOW_PX, :WINDOW_PX].sum() for top in range(10) for left in range(7))
    assert wrong[window.rows, window.columns].shape == (WINDOW_PX, WINDOW_PX)
    assert wrong[window.rows, window.columns].sum() == best
    assert window.zoom == 1


@pytest.mark.parametrize(
    ("shape", "diameter", "shown"),
    [
        ((30, 50), 30, (30, 50)),
        ((900, 900), 10, (447, 447)),
        ((2000, 900), 80, (448, 420)),
        ((2000, 300), 200, (448, 67)),
        ((40, 40), 0, (40, 40)),
    ],
    ids=["small image", "small objects", "large objects", "narrow image of huge objects", "no objects"],
)
def test_pictures_stay_small_and_small_objects_are_enlarged(shape, diameter, shown):
    image, labels = np.zeros(shape, np.uint16), np.zeros(shape, np.int32)
    labels[5:25, 5:25] = 1
    window = worst_window(labels != 0, diameter)
    picture = outcome_picture(image, window, outcomes(labels, labels * 0))
    assert picture.shape == plain_picture(image, window).shape == (*shown, 3)
    assert max(picture.shape) <= WINDOW_PX
    assert (picture == COLOR["missed"]).all(axis=-1).any()
