import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import expand_labels

from cpunet.volumes import grow
from cpunet.volumes.grow import grow_in_volume


def scattered(seed, shape=(11, 20, 22)):
    drawn = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for number in range(1, 9):
        labels[tuple(drawn.integers(0, size) for size in shape)] = number
    return labels


@pytest.mark.parametrize("seed", range(3))
def test_with_cubic_voxels_it_is_expand_labels(seed):
    labels = scattered(seed)
    found, expected = grow_in_volume(labels, 3, 1.0), expand_labels(labels, 3)
    np.testing.assert_array_equal(found > 0, expected > 0)
    assert (found != expected).mean() < 0.01  # voxels as far from one object as from another


@pytest.mark.parametrize("planes", [1, 2, 100])
def test_parts_give_what_the_whole_gives(monkeypatch, planes):
    labels = scattered(0)
    monkeypatch.setattr(grow, "VOXELS_AT_A_TIME", planes * 20 * 22)
    distance = ndimage.distance_transform_edt(labels == 0, sampling=(2.5, 1, 1))
    np.testing.assert_array_equal(grow_in_volume(labels, 4.0, 2.5) > 0, distance <= 4.0)


def test_far_planes_take_less():
    labels = np.zeros((9, 11, 11), np.int32)
    labels[4, 5, 5] = 3
    grown = grow_in_volume(labels, 4, 2.0)
    assert grown[:, 5, 5].tolist() == [0, 0, 3, 3, 3, 3, 3, 0, 0]
    assert grown[4, 5].tolist() == [0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0]
    assert labels[4, 5, 6] == 0
