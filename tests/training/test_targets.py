import numpy as np
import pytest

from cpunet.drawn_nuclei import draw_field
from cpunet.training.targets import ROLES, border_between_objects, make_targets, normalized_distance


def brute_force_border(labels, reach):
    """Mark each pixel whose square neighbourhood holds two different objects."""
    result = np.zeros(labels.shape, bool)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            around = labels[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            result[y, x] = len(np.unique(around[around > 0])) > 1
    return result


def brute_force_distance(labels):
    """For each pixel of an object the distance to the nearest rim pixel of the same object, plus half a pixel."""
    result = np.zeros(labels.shape)
    for number in np.unique(labels[labels > 0]):
        inside = np.argwhere(labels == number)
        rim = []
        for y, x in inside:
            around = labels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            if (around != number).any():
                rim.append((y, x))
        for y, x in inside:
            result[y, x] = np.min(np.hypot(*(np.array(rim) - (y, x)).T)) + 0.5
        result[labels == number] /= result[labels == number].max()
    return result


LABELS = draw_field((60, 70), columns=3, diameter_px=16, touching=True, seed=2).labels


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_border_equals_brute_force(reach):
    expected = brute_force_border(LABELS, reach)
    assert expected.any()
    np.testing.assert_array_equal(border_between_objects(LABELS, reach), expected)


def test_distance_equals_brute_force():
    # A rim pixel of a neighbour may be nearer than the object's own rim by less than a pixel.
    np.testing.assert_allclose(normalized_distance(LABELS), brute_force_distance(LABELS), atol=0.12)
    alone = np.where(LABELS == 3, 3, 0)
    np.testing.assert_allclose(normalized_distance(alone), brute_force_distance(alone), atol=1e-6)


def test_each_object_reaches_one_in_its_middle_whatever_its_size():
    distance = normalized_distance(LABELS)
    assert [distance[number == LABELS].max() for number in np.unique(LABELS)[1:]] == [1] * LABELS.max()
    assert not distance[LABELS == 0].any()


def test_numbers_do_not_matter():
    renumbered = np.where(LABELS > 0, 3 * (LABELS.max() + 1 - LABELS) + 5, 0).astype(np.int32)
    np.testing.assert_array_equal(make_targets(renumbered, 2), make_targets(LABELS, 2))


@pytest.mark.parametrize("labels", [np.zeros((8, 8), np.int32), np.ones((8, 8), np.int32), np.eye(8, dtype=np.int32)])
def test_empty_full_and_thin(labels):
    targets = make_targets(labels, 2)
    assert targets.shape == (len(ROLES), 8, 8)
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(targets[0], labels > 0)
    assert not targets[1].any()
    np.testing.assert_array_equal(targets[2] > 0, labels > 0)
    assert np.isfinite(targets).all()
