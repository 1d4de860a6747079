import numpy as np
import pytest

from cpunet.steps.diameter import area_of_disc, volume_of_sphere
from cpunet.steps.filters import (
    erase_if_too_many,
    fill_holes,
    filter_objects,
    look_up,
    pixels_of_labels,
    relabel,
    touching_border,
)

EMPTY = np.zeros((12, 12), np.int32)


def field(*boxes, shape=(40, 40)):
    labels = np.zeros(shape, np.int32)
    for number, (top, bottom, left, right) in enumerate(boxes, start=1):
        labels[top:bottom, left:right] = number
    return labels


AT_FRAME, SMALL, MIDDLE, LARGE = (0, 6, 10, 16), (10, 12, 10, 12), (10, 18, 20, 28), (22, 38, 5, 30)
FIELD = field(AT_FRAME, SMALL, MIDDLE, LARGE)


def test_defaults_discard_nothing():
    kept = filter_objects(FIELD)
    np.testing.assert_array_equal(kept.labels, FIELD)
    np.testing.assert_array_equal(kept.small_removed, FIELD)
    assert not kept.discarded_by_size.any()
    assert not kept.discarded_by_border.any()


def test_order_is_border_small_large():
    kept = filter_objects(FIELD, diameter_range_px=(4, 12), discard_border=True)
    assert np.unique(kept.labels).tolist() == [0, 1]
    np.testing.assert_array_equal(kept.labels > 0, FIELD == 3)
    assert np.unique(kept.small_removed).tolist() == [0, 3, 4]
    assert np.unique(kept.discarded_by_border).tolist() == [0, 1]
    assert np.unique(kept.discarded_by_size).tolist() == [0, 2, 4]


def test_the_input_is_not_changed():
    before = FIELD.copy()
    filter_objects(FIELD, (4, 12), True, np.ones(FIELD.shape, bool))
    np.testing.assert_array_equal(FIELD, before)


def test_an_object_at_the_limit_is_kept():
    # an area of exactly pi d^2 / 4 cannot be had in pixels; just above the one and just below the other limit can
    labels = field((5, 9, 5, 9))
    assert filter_objects(labels, (4, 5)).labels.max() == 1
    assert filter_objects(labels, (1, 4.4)).labels.max() == 0
    assert filter_objects(labels, (4.6, 9)).labels.max() == 0
    assert area_of_disc(4) == pytest.approx(np.pi * 4)


def test_mask_edge_counts_only_if_nothing_touches_the_frame():
    mask = np.zeros(FIELD.shape, bool)
    mask[:, 8:30] = True
    at_mask = field((10, 14, 8, 12), (20, 24, 15, 19))
    assert touching_border(at_mask, mask).tolist() == [False, True, False]
    assert touching_border(at_mask).tolist() == [False, False, False]
    both = field((10, 14, 8, 12), (0, 4, 15, 19))
    assert touching_border(both, mask).tolist() == [False, False, True]


def test_holes_are_filled_by_their_object_only():
    labels = field((2, 9, 2, 9), (12, 20, 2, 10))
    labels[4:6, 4:6] = 0
    labels[14:16, 9:11] = 0  # a bay, open to the background
    filled = fill_holes(labels)
    assert (filled[4:6, 4:6] == 1).all()
    assert (filled[14:16, 9:11] == 0).all()


def test_a_hole_in_the_mask_is_no_hole_in_the_object():
    labels = field((5, 25, 5, 25))
    mask = np.ones(labels.shape, bool)
    mask[10:15, 10:15] = False
    kept = filter_objects(np.where(mask, labels, 0), mask=mask).labels
    assert not kept[~mask].any()
    assert kept[labels > 0][mask[labels > 0]].all()


def test_a_gap_between_two_objects_is_no_hole():
    labels = field((2, 10, 2, 6), (2, 10, 6, 10))
    labels[5:7, 5:7] = 0
    np.testing.assert_array_equal(fill_holes(labels), labels)


@pytest.mark.parametrize(
    "labels", [EMPTY, np.zeros((1, 1), np.int32), np.ones((1, 1), np.int32), np.ones((3, 1), np.int32)]
)
def test_empty_and_tiny_images(labels):
    kept = filter_objects(labels, (0.5, 100), discard_border=False)
    np.testing.assert_array_equal(kept.labels, labels)
    assert filter_objects(labels, (0.5, 100), discard_border=True).labels.max() == 0


def test_relabel_closes_gaps_in_order():
    np.testing.assert_array_equal(relabel(np.array([[7, 0, 3, 9]], np.int32)), [[2, 0, 1, 3]])


def test_labels_that_need_no_change_are_not_copied():
    assert relabel(FIELD) is FIELD
    assert relabel(FIELD, min_size_px=4) is FIELD
    assert relabel(FIELD, min_size_px=5) is not FIELD
    assert relabel(FIELD.astype(np.int64)).dtype == np.int32


def test_a_range_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match="larger than its maximum"):
        filter_objects(FIELD, (20, 10))


def test_holes_stay_open_where_asked_for():
    labels = field((2, 9, 2, 9))
    labels[4:6, 4:6] = 0
    assert filter_objects(labels).labels[4, 4] == 1
    np.testing.assert_array_equal(filter_objects(labels, fill=False).labels, labels)
    assert fill_holes(labels, largest_px=3)[4, 4] == 0
    assert fill_holes(labels, largest_px=4)[4, 4] == 1


@pytest.mark.parametrize(("limit", "erased"), [(0, True), (3, True), (4, False), (500, False)])
def test_more_objects_than_the_limit_are_erased(limit, erased):
    assert erase_if_too_many(FIELD, limit).any() != erased
    assert erase_if_too_many(EMPTY, limit) is EMPTY
    kept = filter_objects(FIELD, object_limit=limit)
    assert kept.labels.any() != erased
    assert kept.small_removed.any()


def test_erasing_takes_the_discarded_ones_too_and_counts_only_what_is_kept():
    options = {"diameter_range_px": (4, 12), "discard_border": True}
    kept = filter_objects(FIELD, **options, object_limit=1)
    assert kept.labels.max() == 1
    assert kept.discarded_by_border.any()
    erased = filter_objects(FIELD, **options, object_limit=0)
    for gone in (erased.labels, erased.discarded_by_border, erased.discarded_by_size):
        assert not gone.any()
    with pytest.raises(ValueError, match="number of objects must be 0 or more"):
        filter_objects(FIELD, object_limit=-1)


def boxes(*corners, shape=(8, 30, 30)):
    labels = np.zeros(shape, np.int32)
    for number, (z, y, x, size) in enumerate(corners, start=1):
        labels[z : z + size, y : y + size, x : x + size] = number
    return labels


def test_a_stacks_border_is_that_of_its_planes():
    labels = boxes((0, 10, 10, 3), (3, 0, 20, 3), (3, 20, 27, 3), (3, 20, 10, 3))
    kept = filter_objects(labels, discard_border=True)
    assert np.unique(kept.discarded_by_border).tolist() == [0, 2, 3]
    assert kept.labels.max() == 2
    inside = np.zeros((30, 30), bool)
    inside[10:29, 1:29] = True
    alone = np.where(np.isin(labels, (1, 4)), labels, 0)
    alone[:2, 15:18, 18:21] = 2  # in the first plane, which is no border
    for mask in (inside, np.broadcast_to(inside, labels.shape)):
        assert np.flatnonzero(touching_border(alone, mask)).tolist() == [1]


def test_objects_of_a_stack_are_measured_by_their_volume():
    labels = boxes((1, 2, 2, 2), (1, 10, 10, 4))  # 8 and 64 voxels; spheres of 2.48 and 4.96 pixels
    assert filter_objects(labels, (2.4, 5)).labels.max() == 2
    assert filter_objects(labels, (2.5, 5)).labels.max() == 1
    assert filter_objects(labels, (2.4, 4.9)).labels.max() == 1
    # planes twice as far apart: twice the volume, and 1.26 times the diameter
    assert filter_objects(labels, (3.1, 6.2), z_step_px=2).labels.max() == 1
    assert filter_objects(labels, (3.1, 6.3), z_step_px=2).labels.max() == 2
    assert volume_of_sphere(2) == pytest.approx(4 / 3 * np.pi)
    with pytest.raises(ValueError, match="between two planes"):
        filter_objects(labels, z_step_px=0)


def test_a_stack_is_filled_plane_by_plane():
    labels = boxes((1, 5, 5, 5))
    labels[:, 7, 7] = 0  # a channel from top to bottom, closed in each plane
    assert (filter_objects(labels).labels[1:6, 7, 7] == 1).all()
    mask = np.ones(labels.shape[1:], bool)
    mask[7, 7] = False
    assert not filter_objects(labels, mask=mask).labels[:, 7, 7].any()


@pytest.mark.parametrize("at_a_time", [1, 7, 10**6])
@pytest.mark.parametrize("shape", [(13, 11), (3, 5, 4), (0, 4)])
def test_labels_are_counted_and_looked_up_in_parts(monkeypatch, at_a_time, shape):
    monkeypatch.setattr("cpunet.steps.runs.PIXELS_AT_A_TIME", at_a_time)
    labels = np.random.default_rng(0).integers(0, 9, shape).astype(np.int32)
    for view in (labels, labels[..., ::2]):
        counts = pixels_of_labels(view)
        np.testing.assert_array_equal(counts, np.bincount(view.ravel(), minlength=1))
        table = np.arange(9) * 3 + 5  # the background has an entry like all others
        np.testing.assert_array_equal(look_up(table, view), view * 3 + 5)
