import numpy as np
import pytest

from cpunet.errors import ImageError
from cpunet.time_lapse.shifts import places_of_frames, shift_to
from tests.drawn_frames import CAMERA, shifted_frames

FRAMES, _ = shifted_frames()


def test_frames_are_moved_by_what_the_camera_shifted():
    places = places_of_frames(iter(FRAMES))
    found = np.array([(place.y_px, place.x_px) for place in places])
    assert np.abs(found - CAMERA).max() <= 0.3
    assert all(place.found for place in places)
    assert places[0].step is None


def test_a_shift_is_how_the_frame_is_moved_onto_the_reference():
    shift = shift_to(FRAMES[0], FRAMES[1])
    assert (shift.y_px, shift.x_px) == pytest.approx(CAMERA[1], abs=0.2)
    assert shift.found
    back = shift_to(FRAMES[1], FRAMES[0])
    assert (back.y_px, back.x_px) == pytest.approx((-shift.y_px, -shift.x_px), abs=0.11)


def test_parts_of_a_pixel_are_found():
    size = FRAMES.shape[1:]
    y, x = (np.fft.fftfreq(each) for each in size)
    moved = np.fft.ifft2(np.fft.fft2(FRAMES[0]) * np.exp(-2j * np.pi * (3.4 * y[:, np.newaxis] - 2.7 * x))).real
    shift = shift_to(moved, FRAMES[0])
    assert (shift.y_px, shift.x_px) == pytest.approx((3.4, -2.7), abs=0.15)


def test_bleaching_does_not_count():
    assert shift_to(FRAMES[0], FRAMES[1] // 3 + 500)[:2] == pytest.approx(shift_to(FRAMES[0], FRAMES[1])[:2], abs=0.11)


@pytest.mark.parametrize("seed", range(5))
def test_frames_with_nothing_in_common_are_told(seed):
    rng = np.random.default_rng(seed)
    noise = [rng.normal(size=FRAMES.shape[1:]) for _ in range(2)]
    assert not shift_to(*noise).found


def test_after_a_dark_frame_the_one_before_it_is_compared():
    frames = [*FRAMES[:2], np.zeros_like(FRAMES[0]), *FRAMES[2:]]
    places = places_of_frames(frames)
    assert [place.found for place in places] == [True, True, False, True, True, True]
    assert places[2][:2] == places[1][:2]
    assert places[3][:2] == pytest.approx(CAMERA[2], abs=0.3)


def test_frames_with_pixels_that_are_no_numbers_are_aligned():
    frame = FRAMES[1].astype(np.float32)
    frame[:5] = np.nan
    assert shift_to(FRAMES[0], frame)[:2] == pytest.approx(CAMERA[1], abs=0.3)


def test_frames_of_different_shapes_and_tiny_ones_are_refused():
    with pytest.raises(ImageError, match=r"\(80, 160\), and the one before it \(160, 160\)"):
        places_of_frames([FRAMES[0], FRAMES[1][:80]])
    with pytest.raises(ImageError, match="32 pixels or more"):
        places_of_frames([FRAMES[0][:20]])
