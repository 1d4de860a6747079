import numpy as np
import pytest
from scipy import ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.card import Postprocessing
from cpunet.steps.declump import BY_PROBABILITY, foreground_probability, needs_image, probabilities_by_role
from cpunet.steps.declump import declump as declump_with
from cpunet.steps.seeds import Declumping, marker_score

WHOLE = Declumping("none")


def between(rim, settings, how=BY_PROBABILITY, usable=None):
    """Decode boundaries alone, where what they enclose is bright."""
    bright = ndimage.binary_fill_holes(rim).astype(np.float32)[np.newaxis]
    return declump_with(rim[np.newaxis], ("boundary",), settings, how, usable, bright)


def declump(probabilities, roles, foreground, marker, **sizes):
    return declump_with(probabilities, roles, Postprocessing(foreground, marker, **sizes))


ROLES = ("foreground", "border", "distance")


def discs(*middles, shape=(60, 90), radius=12):
    """Perfect probabilities of discs: foreground, nothing between them, distance to the edge."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.min([np.hypot(y - my, x - mx) for my, mx in middles], axis=0)
    distance = np.clip(1 - away / radius, 0, 1)
    return np.stack([distance > 0, np.zeros(shape), distance]).astype(np.float32)


def test_two_touching_discs_give_two_labels_cut_half_way():
    labels = declump(discs((30, 30), (30, 50)), ROLES, 0.5, 0.3)
    assert labels.max() == 2
    areas = np.bincount(labels.ravel())[1:]
    assert abs(areas[0] - areas[1]) <= 25
    assert labels[30, 36] != labels[30, 44]


def test_without_splitting_they_are_one():
    assert declump_with(discs((30, 30), (30, 50)), ROLES, Postprocessing(0.5, 0.3), WHOLE).max() == 1


def test_splitting_changes_no_pixel_of_the_mask():
    probabilities = discs((30, 30), (30, 50))
    split = declump(probabilities, ROLES, 0.5, 0.3)
    np.testing.assert_array_equal(split > 0, probabilities[0] > 0.5)


def test_a_border_splits_what_one_ridge_of_distance_joins():
    probabilities = discs((30, 30), (30, 40))
    assert declump(probabilities, ROLES, 0.5, 0.3).max() == 1
    probabilities[1, :, 35] = 1
    assert declump(probabilities, ROLES, 0.5, 0.3).max() == 2


def test_a_region_without_a_seed_is_kept_whole():
    probabilities = discs((30, 30))
    probabilities[2] = 0
    assert declump(probabilities, ROLES, 0.5, 0.3).max() == 1


def test_a_tiny_marker_is_texture_and_splits_nothing():
    probabilities = discs((30, 30))
    probabilities[2, 30, 38] = 0.9
    assert declump(probabilities, ROLES, 0.5, 0.5).max() == 2
    assert declump(probabilities, ROLES, 0.5, 0.5, marker_min_size_px=2).max() == 1


def test_small_objects_are_dropped_and_numbers_have_no_gap():
    probabilities = np.zeros((1, 20, 20), np.float32)
    probabilities[0, 1, 1] = 1
    probabilities[0, 5:10, 5:10] = 1
    probabilities[0, 15:19, 15:19] = 1
    labels = declump(probabilities, ("foreground",), 0.5, 0.5, min_size_px=2)
    assert np.unique(labels).tolist() == [0, 1, 2]
    assert labels[1, 1] == 0
    assert labels.dtype == np.int32


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 5)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_full_and_one_pixel(shape, value):
    labels = declump(np.full((3, *shape), value, np.float32), ROLES, 0.5, 0.5)
    assert labels.shape == shape
    assert labels.max() == int(value)


def test_drawn_pairs_are_split_with_perfect_probabilities():
    truth = synthetic_field((200, 200), columns=2, touching=True).labels
    assert truth.max() == 8
    # the inner part of each object, as a three-class model sees it
    interior = np.zeros(truth.shape, np.float32)
    for number in range(1, 9):
        y, x = np.nonzero(truth == number)
        near = np.hypot(y - y.mean(), x - x.mean()) < 9
        interior[y[near], x[near]] = 1
    boundary = np.where((truth > 0) & (interior == 0), 1, 0).astype(np.float32)
    planes = np.stack([1 - interior - boundary, interior, boundary])
    labels = declump(planes, ("background", "interior", "boundary"), 0.5, 0.5)
    assert labels.max() == 8


def test_roles_of_other_models():
    value = np.full((2, 2), 0.25, np.float32)
    planes = probabilities_by_role(np.stack([value, 2 * value, value]), ("background", "interior", "boundary"))
    np.testing.assert_allclose(foreground_probability(planes), 0.75)
    np.testing.assert_allclose(marker_score(planes), 0.375)
    np.testing.assert_allclose(foreground_probability({"interior": value}), 0.25)
    np.testing.assert_allclose(marker_score({"foreground": value, "border": 2 * value}), 0.125)
    np.testing.assert_allclose(foreground_probability({"boundary": value}), 0.25)


def rings(shape=(40, 60)):
    """Perfect boundaries of two squares of 12 pixels that share a side: two pixels wide, one to each side."""
    truth = np.zeros(shape, np.int32)
    truth[10:22, 10:22], truth[10:22, 22:34] = 1, 2
    rim = np.zeros(shape, bool)
    for axis in (0, 1):
        differs = np.diff(truth, axis=axis) != 0
        before, after = (np.pad(differs, [pad if a == axis else (0, 0) for a in (0, 1)]) for pad in ((0, 1), (1, 0)))
        rim |= before | after
    return truth, rim.astype(np.float32)


def test_boundaries_alone_give_objects_grown_back_by_half_the_width():
    truth, rim = rings()
    settings = Postprocessing(dilation_px=1)
    labels = between(rim, settings)
    assert labels.max() == 2
    np.testing.assert_array_equal(labels > 0, ndimage.binary_dilation(truth_without_rim(truth, rim)))
    without = between(rim, Postprocessing())
    np.testing.assert_array_equal(without > 0, truth_without_rim(truth, rim))


def truth_without_rim(truth, rim):
    return (truth > 0) & (rim == 0)


def test_holes_are_filled_only_where_asked_for():
    _, rim = rings()
    speck = rim.copy()
    speck[15, 15] = 1  # as a bright nucleolus that the network takes for a boundary
    filled = between(speck, Postprocessing(fill_holes=True))
    holed = between(speck, Postprocessing())
    assert filled[15, 15] == filled[15, 14] > 0
    assert holed[15, 15] == 0


def test_the_smallest_area_counts_after_growing():
    _, rim = rings()
    area = np.bincount(between(rim, Postprocessing(dilation_px=1)).ravel())[1]
    kept = Postprocessing(dilation_px=1, min_size_px=int(area))
    dropped = Postprocessing(dilation_px=1, min_size_px=int(area) + 1)
    assert between(rim, kept).max() == 2
    assert between(rim, dropped).max() == 0


def test_boundaries_alone_without_declumping_are_one_object():
    _, rim = rings()
    assert between(rim, Postprocessing(dilation_px=1), WHOLE).max() == 1


def test_a_field_without_a_boundary_holds_no_object():
    assert not between(np.zeros((9, 9), np.float32), Postprocessing()).any()
    assert not between(np.ones((9, 9), np.float32), Postprocessing()).any()


def test_boundaries_alone_need_the_image():
    assert needs_image(("boundary",), "probability")
    assert needs_image(("foreground", "boundary"), "intensity")
    assert not needs_image(("foreground", "boundary"), "shape")
    with pytest.raises(ValueError, match="boundaries alone, their image is needed"):
        declump_with(np.zeros((1, 9, 9), np.float32), ("boundary",), Postprocessing())


@pytest.mark.parametrize("roles", [("foreground",), ("boundary",)])
def test_no_object_reaches_where_nothing_is_usable(roles):
    _, rim = rings()
    usable = np.ones(rim.shape, bool)
    usable[:, 18:] = False
    plane = rim if roles == ("boundary",) else ndimage.binary_fill_holes(rim).astype(np.float32)
    bright = ndimage.binary_fill_holes(rim).astype(np.float32)[np.newaxis]
    labels = declump_with(plane[np.newaxis], roles, Postprocessing(dilation_px=3), usable=usable, image=bright)
    assert labels[:, :18].any()
    assert not labels[:, 18:].any()


def test_a_hole_where_nothing_is_usable_is_not_filled():
    mask = np.zeros((1, 20, 20), np.float32)
    mask[:, 4:16, 4:16] = 1
    usable = np.ones((20, 20), bool)
    usable[9:11, 9:11] = False
    for dilation in (0, 2):
        labels = declump_with(
            mask, ("foreground",), Postprocessing(dilation_px=dilation, fill_holes=True), usable=usable
        )
        assert labels.max() == 1
        assert not labels[~usable].any()


def dumbbell():
    """A plain mask of two discs that overlap, less probable at the waist, beside one that stands alone."""
    y, x = np.mgrid[:60, :120]
    inside = (np.hypot(y - 30, x - 25) < 13) | (np.hypot(y - 30, x - 46) < 13) | (np.hypot(y - 30, x - 95) < 13)
    distance = ndimage.distance_transform_edt(inside)
    return (inside * (0.6 + 0.39 * np.clip(distance / 11, 0, 1))).astype(np.float32)[np.newaxis]


@pytest.mark.parametrize(
    ("how", "marker", "count"),
    [
        (Declumping(), 0.5, 2),  # the connected components
        (Declumping(), 0.95, 3),  # each peak of the probability is an object
        (Declumping("shape", smoothing_px=5, min_distance_px=7), 0.5, 3),  # parted at the waist
        (WHOLE, 0.95, 2),
    ],
)
def test_a_plain_mask_gives_its_components_or_is_parted_by_probability_or_shape(how, marker, count):
    mask = dumbbell()
    labels = declump_with(mask, ("foreground",), Postprocessing(0.5, marker), how)
    assert labels.max() == count
    np.testing.assert_array_equal(labels > 0, mask[0] > 0.5)
