import numpy as np
import pytest

from benchmarks.time_lapse.links import true_links
from benchmarks.time_lapse.movie import LEAST_VISIBLE, MOST_SHIFT_PX, drawn_movie


@pytest.fixture(scope="module")
def movie():
    return drawn_movie(3, frames=8)


def test_the_same_seed_draws_the_same(movie):
    again = drawn_movie(3, frames=8)
    np.testing.assert_array_equal(again.frames, movie.frames)
    assert again.parents == movie.parents
    assert (drawn_movie(4, frames=2).frames[0] != movie.frames[0]).any()


def test_the_camera_shifts_by_what_is_said(movie):
    steps = np.abs(np.diff(movie.camera, axis=0))
    assert steps.max() <= MOST_SHIFT_PX
    assert steps.max() > MOST_SHIFT_PX / 2


def test_nuclei_divide_touch_come_and_go(movie):
    links = true_links(movie.visible, movie.parents)
    assert {link for link in links if link[1] != link[2]}
    ever = set.union(*movie.visible)
    assert ever - movie.visible[-1]
    assert ever - movie.visible[0] - set(movie.parents)
    down = (movie.labels[:, 1:] != movie.labels[:, :-1]) & (movie.labels[:, 1:] > 0) & (movie.labels[:, :-1] > 0)
    assert down.any()


def test_labels_lie_on_what_is_bright(movie):
    for frame, labels in zip(movie.frames, movie.labels):
        assert np.median(frame[labels > 0]) > 2 * np.median(frame[labels == 0])


def test_only_visible_nuclei_count(movie):
    for labels, visible in zip(movie.labels, movie.visible):
        pixels = np.bincount(labels.ravel())
        assert all(pixels[track] > LEAST_VISIBLE * 200 for track in visible)
