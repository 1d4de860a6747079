import numpy as np
import pytest

from cpunet.volumes.holes import fill_holes_in_volume


def shell(shape=(9, 11, 11), number=1):
    labels = np.full(shape, number, np.int32)
    labels[[0, -1]] = 0
    labels[:, [0, -1]] = 0
    labels[:, :, [0, -1]] = 0
    return labels


def test_a_hole_in_one_object_is_filled_and_a_tunnel_is_not():
    labels = shell()
    labels[3:5, 4:6, 4:7] = 0
    np.testing.assert_array_equal(fill_holes_in_volume(labels.copy()), shell())
    labels[:, 8, 8] = 0  # from the first plane to the last
    expected = shell()
    expected[:, 8, 8] = 0
    np.testing.assert_array_equal(fill_holes_in_volume(labels.copy()), expected)


def test_a_hole_between_two_objects_stays():
    labels = shell()
    labels[5:] *= 2
    labels[4:6, 5, 5] = 0
    np.testing.assert_array_equal(fill_holes_in_volume(labels.copy()), labels)


def test_only_holes_of_up_to_a_size_are_filled():
    labels = shell()
    labels[2, 2, 2] = 0
    labels[4:6, 5:7, 5:7] = 0
    filled = fill_holes_in_volume(labels.copy(), largest_px=7)
    assert filled[2, 2, 2] == 1
    assert not filled[4:6, 5:7, 5:7].any()
    assert fill_holes_in_volume(labels.copy(), largest_px=8)[4, 5, 5] == 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 6), (3, 1, 7)])
def test_a_thin_volume_has_no_hole(shape):
    labels = np.ones(shape, np.int32)
    labels[0, 0, shape[2] // 2] = 0
    np.testing.assert_array_equal(fill_holes_in_volume(labels.copy()), labels)
