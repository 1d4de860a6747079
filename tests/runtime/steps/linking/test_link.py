import numpy as np
import pytest

from cpunet.steps.linking.ends import join_ends
from cpunet.steps.linking.link import link_planes
from cpunet.steps.linking.neighbors import link_neighbors
from cpunet.steps.linking.profiles import profiles_of
from cpunet.steps.linking.short import drop_short
from cpunet.steps.linking.waists import cut_at_waists, waists
from tests.tiny_volumes import balls


def boxes(*planes, width=12):
    """Label boxes (number, left, right) of eight rows in each plane."""
    result = np.zeros((len(planes), width, 40), np.int32)
    for plane, spans in zip(result, planes):
        for number, left, right in spans:
            plane[2:10, left:right] = number
    return result


def by_plane(labels):
    return [[n for n in np.unique(plane).tolist() if n] for plane in labels]


def image_of(labels, contrast):
    """Return an image in which each plane's objects have a contrast, on a ground of 100."""
    return np.where(labels > 0, 100 + np.asarray(contrast)[:, np.newaxis, np.newaxis], 100).astype(np.uint16)


@pytest.mark.parametrize(
    ("area", "contrast", "expected"),
    [
        ([5] * 9, [2, 5, 6, 5, 5, 5, 6, 4, 1], []),  # falls by a sixth
        ([5] * 9, [2, 5, 6, 5, 4, 5, 6, 4, 1], [4]),  # by a third
        ([5] * 9, [2, 5, 6, 5, 4, 5, 5, 4, 1], []),  # by a fifth of the lower peak
        ([1, 5, 9, 5, 3, 5, 9, 5, 1], [5] * 9, [4]),
        ([1, 5, 9, 5, 4, 5, 9, 5, 1], [5] * 9, []),
        ([5] * 13, [2, 6, 6, 2, 4, 7, 7, 3, 2, 5, 8, 6, 1], [3, 8]),
        ([5] * 5, [8, 2, 8, 8, 8], []),  # one plane alone is no object
        ([5] * 4, [8, 8, 2, 8], []),
        ([5] * 5, [-2, -1, -5, -1, -2], []),  # darker than the ground
    ],
)
def test_a_column_is_cut_where_it_falls_far_enough_between_two_peaks(area, contrast, expected):
    assert waists(np.array(area, float), np.array(contrast, float)) == expected


@pytest.mark.parametrize("sign", [1, -1], ids=["bright", "dark"])
def test_contrast_is_measured_against_the_ground_on_the_side_of_the_objects(sign):
    labels = boxes([(1, 0, 10)], [(1, 0, 10), (3, 20, 25)], [])
    found = profiles_of(labels, np.where(labels > 0, 50.0 + sign * 10 * labels, 50.0))
    assert found.area.tolist() == [[0, 80, 0, 0], [0, 80, 0, 40], [0, 0, 0, 0]]
    np.testing.assert_allclose(found.contrast, [[0, 10, 0, 0], [0, 10, 0, 30], [0, 0, 0, 0]])


def test_balls_above_each_other_are_cut_where_they_touch():
    image, labels = balls((26, 40, 40), [(6, 18, 20), (16.5, 22, 20)], diameter_px=20, z_step_px=2)
    planes = (labels > 0).astype(np.int32)  # every region has the number 1
    assert link_neighbors(planes).max() == 1
    found = link_planes(planes, image)
    assert found.max() == 2
    assert np.mean(found[labels > 0] == labels[labels > 0]) > 0.97
    np.testing.assert_array_equal(found > 0, labels > 0)


@pytest.mark.parametrize("dead", [np.nan, np.inf])
def test_a_dead_pixel_within_an_object_changes_no_brightness(dead):
    image, labels = balls((26, 40, 40), [(6, 18, 20), (16.5, 22, 20)], diameter_px=20, z_step_px=2)
    planes = (labels > 0).astype(np.int32)
    whole = link_planes(planes, image)
    image[6, 18, 20] = dead
    np.testing.assert_array_equal(link_planes(planes, image), whole)


def test_regions_beside_the_cut_are_divided_where_they_show_both():
    # The right object ends while the left one begins, and in two planes the network saw both as one.
    planes = boxes(*[[(1, 20, 30)]] * 5, *[[(1, 8, 30)]] * 2, *[[(1, 8, 18)]] * 5)
    image = image_of(planes, [50, 80, 90, 80, 60, 30, 30, 60, 80, 90, 80, 50]).astype(float)
    image[5:7, :, 18:20] = 100  # dark between them
    found = cut_at_waists(planes, image)
    assert by_plane(found) == [[1]] * 5 + [[1, 2]] * 2 + [[2]] * 5
    assert (found[5:7, 5, 25] == 1).all()
    assert (found[5:7, 5, 10] == 2).all()


@pytest.mark.parametrize(
    ("planes", "expected"),
    [
        ([[(1, 0, 9)], [], [(2, 0, 9)]], [[1], [], [1]]),
        ([[(1, 0, 9)], [], [], [(2, 0, 9)]], [[1], [], [], [2]]),  # missed twice
        ([[(1, 0, 9)], [], [(2, 6, 15)]], [[1], [], [2]]),  # a third shared
        ([[(1, 0, 9)], [], [(2, 4, 13)]], [[1], [], [1]]),
        ([[(1, 0, 9)], [(2, 0, 9)], [(3, 0, 9)]], [[1], [1], [1]]),
        ([[(1, 0, 9), (2, 10, 19)], [(1, 0, 19)], [(1, 0, 9), (3, 10, 19)]], [[1, 2], [1], [1, 2]]),
        ([[(1, 0, 9)], [(2, 0, 4), (3, 4, 9)]], [[1], [1, 2]]),
    ],
    ids=[
        "missed",
        "missed twice",
        "shares too little",
        "shares half",
        "one after the other",
        "merged once",
        "shares less than another",
    ],
)
def test_ends_are_joined_over_one_missed_plane(planes, expected):
    labels = boxes(*planes)
    assert by_plane(join_ends(labels, image_of(labels, [50] * len(labels)))) == expected


def test_ends_with_a_waist_between_them_stay_apart():
    labels = boxes(*[[(1, 0, 9)]] * 4, *[[(2, 0, 9)]] * 4)
    assert join_ends(labels, image_of(labels, [40, 60, 50, 20, 20, 50, 60, 40])).max() == 2
    assert join_ends(labels, image_of(labels, [40, 60, 60, 60, 60, 60, 60, 40])).max() == 1


def test_a_region_of_one_plane_is_dropped_beside_objects_of_many():
    long = [(1, 0, 9)]
    planes = boxes(*[long] * 3, [*long, (2, 20, 29)], *[long] * 2)
    assert by_plane(drop_short(planes)) == [[1]] * 6
    narrow = boxes(*[long] * 3, [*long, (2, 20, 22)], *[long] * 2)
    assert 2 in drop_short(narrow)  # a small object may lie in one plane
    at_the_end = boxes([*long, (2, 20, 29)], *[long] * 5)
    assert 2 in drop_short(at_the_end)  # it may go on above the stack


def test_stacks_of_flat_objects_lose_none():
    planes = boxes([(1, 0, 9)], [(2, 20, 29)], [(3, 0, 9), (4, 20, 29)], [(5, 10, 18)])
    found = link_planes(planes, image_of(planes, [50] * 4))
    np.testing.assert_array_equal(found > 0, planes > 0)


@pytest.mark.parametrize("planes", [1, 3])
def test_nothing_is_linked_to_nothing(planes):
    assert not link_planes(np.zeros((planes, 5, 6), np.int32), np.zeros((planes, 5, 6))).any()


def test_objects_are_numbered_in_the_order_of_the_planes_and_the_input_is_kept():
    image, labels = balls((14, 40, 60), [(8, 10, 10), (4, 28, 28), (9, 28, 50)], diameter_px=14, z_step_px=2)
    planes = labels.copy()
    color = np.repeat(image[..., np.newaxis], 3, axis=3)
    color[0, 0, 0] = np.nan  # masked out
    found = link_planes(planes, color)
    np.testing.assert_array_equal(planes, labels)
    assert by_plane(found)[1] == [1]
    assert found[4, 28, 28] == 1
    assert found.max() == 3
    assert found.dtype == np.int32
