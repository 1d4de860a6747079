import numpy as np
import pytest
from scipy import ndimage

from cpunet.steps.runs import (
    areas_of_runs,
    chosen_runs,
    connected,
    joined,
    numbered_anew,
    painted,
    runs_at,
    runs_of,
    stretches,
)

SHAPES = [(40, 50), (1, 60), (60, 1), (1, 1), (0, 5), (5, 0), (3, 20, 30)]


def random_labels(shape, seed=0, numbers=4):
    """Pixels of a few numbers, of which half are background."""
    labels = np.random.default_rng(seed).integers(-numbers, numbers + 1, shape).astype(np.int32)
    return np.repeat(np.maximum(labels, 0), 2, axis=-1)[..., : shape[-1]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("at_a_time", [1, 100, 2**18])
def test_runs_are_the_stretches_of_each_row(shape, at_a_time, monkeypatch):
    monkeypatch.setattr("cpunet.steps.runs.PIXELS_AT_A_TIME", at_a_time)
    labels = random_labels(shape)
    runs = runs_of(labels)
    expected, width = [], shape[-1]
    for place, number in enumerate(labels.ravel()):
        if number and expected and place % width and sum(expected[-1][:2]) == place and expected[-1][2] == number:
            expected[-1][1] += 1
        elif number:
            expected.append([place, 1, number])
    assert [list(run) for run in zip(*runs)] == expected
    np.testing.assert_array_equal(painted(runs, shape), labels)


@pytest.mark.parametrize("shape", SHAPES[:-1])
@pytest.mark.parametrize("seed", range(4))
def test_connected_regions_have_the_numbers_of_scipy(shape, seed):
    mask = np.random.default_rng(seed).random(shape) < 0.6
    np.testing.assert_array_equal(painted(connected(mask), shape), ndimage.label(mask)[0])


@pytest.mark.parametrize("distance", [1, 30, 600])
def test_pairs_at_a_distance(distance):
    labels = random_labels((3, 20, 30))
    runs, flat = runs_of(labels), labels.ravel()
    run_of = np.repeat(np.arange(len(runs.first)), runs.length)
    index = np.full(flat.size, -1)
    index[flat > 0] = run_of
    expected = {(a, b) for a, b in zip(index[:-distance], index[distance:]) if a >= 0 and b >= 0}
    before, after = runs_at(runs, distance)
    assert len(before) == len(set(zip(before, after)))
    assert set(zip(before, after)) == expected


def test_areas_and_numbers():
    labels = random_labels((40, 50), numbers=9)
    runs = runs_of(labels)
    areas = np.bincount(labels.ravel())
    np.testing.assert_array_equal(areas_of_runs(runs)[1:], areas[1:])
    kept = np.array([False, True, False, True, True, False, False, True, False, True])
    table = np.array([0, 1, 0, 2, 3, 0, 0, 4, 0, 5])
    np.testing.assert_array_equal(painted(numbered_anew(runs, kept), labels.shape), table[labels])
    assert areas_of_runs(runs_of(np.zeros((4, 5), np.int32))).tolist() == [0]


def test_parts_are_joined_in_order():
    runs = runs_of(random_labels((40, 50)))
    odd = np.arange(len(runs.first)) % 2 > 0
    again = joined([chosen_runs(runs, odd), chosen_runs(runs, ~odd)])
    for one, other in zip(again, runs):
        np.testing.assert_array_equal(one, other)


def test_stretches_of_no_length_are_left_out():
    assert stretches(np.array([4, 9, 2, 7]), np.array([0, 2, 0, 1])).tolist() == [9, 10, 7]
    assert stretches(np.array([4]), np.array([0])).tolist() == []
