import numpy as np
import pytest

from cpunet.steps import outline_shift
from cpunet.steps.outline_shift import shift_outlines


def disc(shape, center, radius):
    y, x = np.indices(shape)
    return np.hypot(y - center[0], x - center[1]) <= radius


ALONE = disc((60, 70), (30, 35), 15).astype(np.int32)
TOUCHING = ALONE.copy()
TOUCHING[:, 36:] *= 2


@pytest.mark.parametrize("shift_px", [-5, -2.5, -1, 1, 2.5, 5])
def test_the_radius_changes_by_the_distance(shift_px):
    before, after = (np.sqrt(np.count_nonzero(each) / np.pi) for each in (ALONE, shift_outlines(ALONE, shift_px)))
    assert after - before == pytest.approx(shift_px, abs=0.5)


def test_a_distance_of_zero_or_no_object_changes_nothing():
    assert shift_outlines(ALONE, 0) is ALONE
    nothing = np.zeros_like(ALONE)
    assert shift_outlines(nothing, 3) is nothing


def test_touching_objects_stay_apart():
    grown, shrunk = shift_outlines(TOUCHING, 3), shift_outlines(TOUCHING, -3)
    before = TOUCHING.copy()
    np.testing.assert_array_equal(grown[TOUCHING > 0], TOUCHING[TOUCHING > 0])
    assert set(np.unique(shrunk)) == {0, 1, 2}
    assert not shrunk[:, 33:39].any()
    assert (shrunk[shrunk > 0] == TOUCHING[shrunk > 0]).all()
    np.testing.assert_array_equal(TOUCHING, before)


def test_an_object_that_would_vanish_keeps_its_innermost_pixels():
    labels = ALONE.copy()
    labels[2:5, 2:5] = 2
    shrunk = shift_outlines(labels, -4)
    assert np.argwhere(shrunk == 2).tolist() == [[3, 3]]
    assert (shrunk == 1).any()


def test_frame_and_mask_are_no_outlines():
    labels = np.zeros((20, 30), np.int32)
    labels[:8, :10] = 1
    shrunk = shift_outlines(labels, -2)
    assert (shrunk[:6, :8] == 1).all()
    assert np.count_nonzero(shrunk) == 48
    usable = np.ones(labels.shape, bool)
    usable[:, 10:] = False
    assert np.count_nonzero(shift_outlines(labels, -2, usable)) == 60
    assert not shift_outlines(labels, 3, usable)[~usable].any()
    full = np.ones((5, 5), np.int32)
    np.testing.assert_array_equal(shift_outlines(full, -3), full)


def test_bands_of_rows_give_the_same_as_the_whole(monkeypatch):
    whole = shift_outlines(TOUCHING, 4)
    monkeypatch.setattr(outline_shift, "PIXELS_AT_A_TIME", 7 * TOUCHING.shape[1])
    np.testing.assert_array_equal(shift_outlines(TOUCHING, 4) > 0, whole > 0)
