import numpy as np
import pytest

from cpunet.steps.pixels.fill import PART_PX, REACH_PX, defects, fill

RAMP = np.tile(np.arange(50, dtype=np.float32), (40, 1))


def test_what_is_empty_mirrors_what_lies_beside_it():
    image = RAMP[np.newaxis].copy()
    empty = np.zeros(RAMP.shape, bool)
    empty[:, 30:] = True
    image[:, empty] = 999
    fill(image, empty)
    np.testing.assert_array_equal(image[0, :, :30], RAMP[:, :30])
    np.testing.assert_array_equal(image[0, 7, 30:], np.arange(28, 8, -1))


def test_a_gap_is_filled_from_both_sides_and_each_channel_by_itself():
    image = np.stack([RAMP, 100 - RAMP])
    empty = np.zeros(RAMP.shape, bool)
    empty[:, 20:24] = True
    image[:, empty] = -1
    fill(image, empty)
    np.testing.assert_array_equal(image[0, 5, 18:26], [18, 19, 18, 17, 26, 25, 24, 25])
    np.testing.assert_array_equal(image[1], 100 - image[0])


def test_far_from_the_image_is_its_median_and_parts_do_not_show():
    shape = (PART_PX + 150, 300)
    rng = np.random.default_rng(0)
    image = rng.random((1, *shape), np.float32)
    empty = np.zeros(shape, bool)
    empty[PART_PX - 100 : PART_PX + 140] = True
    before = image.copy()
    fill(image, empty)
    np.testing.assert_array_equal(image[0][~empty], before[0][~empty])
    first = PART_PX - 100
    np.testing.assert_array_equal(image[0, first : first + REACH_PX], image[0, first - 2 : first - 2 - REACH_PX : -1])
    beyond = image[0, first + REACH_PX : PART_PX + 140 - REACH_PX]
    assert len(beyond) > 40
    assert np.ptp(beyond) == 0
    assert beyond[0, 0] == pytest.approx(np.median(before[0][~empty]), abs=0.02)


def test_points_and_lines_are_defects_and_regions_are_not():
    empty = np.zeros((60, 80), bool)
    empty[5, 5] = empty[:, 40] = empty[30:32, :] = True
    small = empty.copy()
    empty[40:50, 10:30] = True
    np.testing.assert_array_equal(defects(empty), small)
    assert not defects(np.ones((9, 9), bool)).any()
