"""Targets and weights of volumes, whose planes lie further apart than pixels."""

import numpy as np
import pytest

from cpunet.training.data.ignored_pixels import continued
from cpunet.training.network.losses import Loss
from cpunet.training.patches.targets import (
    Targets,
    border_between_objects,
    boundary_band,
    distance_to_other,
    make_targets,
    normalized_distance,
    three_classes,
)
from cpunet.training.patches.weight_maps import pixel_weights, unet_weights

STEP = 2.5
SAMPLING = (STEP, 1.0, 1.0)


def two_boxes():
    """Two objects, one above the other, that touch between planes 3 and 4."""
    labels = np.zeros((8, 9, 9), np.int32)
    labels[1:4, 2:7, 2:7], labels[4:7, 2:7, 2:7] = 1, 2
    return labels


def brute_force_distance(labels):
    places = np.argwhere(np.ones(labels.shape, bool))
    far = np.full(labels.shape, np.inf)
    for place in places:
        other = places[labels[tuple(places.T)] != labels[tuple(place)]]
        far[tuple(place)] = np.sqrt((((other - place) * SAMPLING) ** 2).sum(axis=1)).min()
    return far


def test_distance_to_another_label_is_physical():
    labels = two_boxes()
    np.testing.assert_allclose(
        distance_to_other(labels, SAMPLING)[labels > 0], brute_force_distance(labels)[labels > 0]
    )


def test_a_boundary_has_its_width_in_the_plane_and_a_plane_on_each_side_along_z():
    labels = np.zeros((9, 15, 15), np.int32)
    labels[3:6, 4:11, 4:11] = 1
    band = boundary_band(labels, 4, SAMPLING)
    assert band[4, 7].tolist() == [each in (2, 3, 4, 5, 9, 10, 11, 12) for each in range(15)]
    assert band[:, 7, 7].tolist() == [False, False, True, True, False, True, True, False, False]


def test_a_width_of_several_planes_reaches_over_them():
    labels = np.zeros((12, 9, 9), np.int32)
    labels[6:] = 1
    # 3 planes of 2.5 pixels on each side of the rim: 7.5 pixels
    assert boundary_band(labels, 16, SAMPLING)[:, 4, 4].tolist() == [False] * 3 + [True] * 6 + [False] * 3


def test_three_classes_exclude_each_other_and_the_ends_are_boundary():
    background, interior, boundary = three_classes(two_boxes(), 1, SAMPLING)
    assert ((background + interior.astype(int) + boundary) == 1).all()
    assert boundary[[1, 3], 4, 4].all()
    assert interior[2, 4, 4]


def test_objects_above_each_other_have_a_border_on_both_sides():
    border = border_between_objects(two_boxes(), 2, SAMPLING)
    assert border[:, 4, 4].tolist() == [False, False, False, True, True, False, False, False]
    # in thin planes the reach of two pixels is two planes
    thin = border_between_objects(two_boxes(), 2, (1.0, 1.0, 1.0))
    assert thin[:, 4, 4].tolist() == [False, False, True, True, True, True, False, False]


def test_the_middle_of_an_object_has_a_distance_of_one_along_all_axes():
    z, y, x = np.indices((11, 25, 25))
    ball = (((z - 5) * STEP) ** 2 + (y - 12) ** 2 + (x - 12) ** 2 < 10.5**2).astype(np.int32)
    distance = normalized_distance(ball, SAMPLING)
    assert distance[5, 12, 12] == 1
    # half way to the rim it is about a half, in the plane and along z alike
    assert distance[5, 12, 17] == pytest.approx(distance[7, 12, 12], abs=0.15)


@pytest.mark.parametrize(
    "kind", ["foreground_border_distance", "foreground_boundary_distance", "three_class", "foreground"]
)
def test_targets_have_a_channel_for_each_role_and_a_plane_alone_is_as_an_image(kind):
    targets = Targets(kind)
    found = make_targets(two_boxes(), targets, SAMPLING)
    assert found.shape == (len(targets.roles), 8, 9, 9)
    assert found.dtype == np.float32
    plane = two_boxes()[2]
    np.testing.assert_array_equal(make_targets(plane, targets, (1.0, 1.0)), make_targets(plane, targets))


def test_weights_are_high_between_objects_above_each_other():
    labels = two_boxes()
    targets = Targets()
    weights = pixel_weights(labels, make_targets(labels, targets, SAMPLING), Loss(border_weight=4), targets, SAMPLING)
    assert weights[3, 4, 4] == 5
    assert weights[1, 4, 4] == 1
    ridge = unet_weights(labels, 10, 2.0, SAMPLING)
    # d1 is 0 in one object, and d2 one step
    assert ridge[3, 4, 4] == pytest.approx(1 + 10 * np.exp(-0.5 * (STEP / 2) ** 2), rel=1e-5)


def test_labels_go_on_into_the_nearest_plane():
    labels = np.full((5, 1, 4), -1)
    labels[0], labels[4] = 1, 2
    labels[2, 0, 0] = 7
    # a voxel of plane 2 is nearer to column 0 of its own plane than to the labeled planes
    assert continued(labels, SAMPLING)[2, 0].tolist() == [7, 7, 7, 7]
