import numpy as np
import pytest

from cpunet.errors import ImageError
from cpunet.time_lapse.field import ALL, COMMON, common_field, moved
from cpunet.time_lapse.shifts import FramePlace

PLACES = [FramePlace(0.0, 0.0, None), FramePlace(2.4, -3.0, None), FramePlace(-1.0, 1.6, None)]
# What each frame shows of a sample whose pixels say where they lie.
SAMPLE = np.arange(400, dtype=np.int32).reshape(20, 20)
FRAMES = [SAMPLE[5 + y : 13 + y, 5 + x : 15 + x] for y, x in ((0, 0), (2, -3), (-1, 2))]


def test_the_common_field_shows_the_same_pixels_in_all_frames():
    field = common_field(PLACES, (8, 10), COMMON)
    assert field == (2, 2, 5, 5)
    shown = [moved(frame, place, field) for frame, place in zip(FRAMES, PLACES)]
    for each in shown:
        np.testing.assert_array_equal(each, SAMPLE[7:12, 7:12])
        assert each.dtype == np.int32


def test_all_that_is_seen_is_shown_with_zeros_elsewhere():
    field = common_field(PLACES, (8, 10), ALL)
    assert field == (-1, -3, 11, 15)
    for frame, place, (y, x) in zip(FRAMES, PLACES, ((0, 0), (2, -3), (-1, 2))):
        shown = moved(frame, place, field)
        np.testing.assert_array_equal(shown[y + 1 : y + 9, x + 3 : x + 13], frame)
        assert np.count_nonzero(shown) == np.count_nonzero(frame)


def test_frames_that_show_nothing_in_common_are_refused():
    with pytest.raises(ImageError, match=r"no part of the sample is seen in all frames.*--show all"):
        common_field([PLACES[0], FramePlace(8.0, 0.0, None)], (8, 10), COMMON)
