import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed

from cpunet.declump import declump as declump_with
from cpunet.declump import foreground_probability, marker_score, planes_by_role, split_regions
from cpunet.drawn_nuclei import draw_field
from cpunet.model_card import Postprocessing


def declump(probabilities, roles, foreground, marker, split=True, **sizes):
    return declump_with(probabilities, roles, Postprocessing(foreground, marker, **sizes), split)


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
    assert declump(discs((30, 30), (30, 50)), ROLES, 0.5, 0.3, split=False).max() == 1


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


@pytest.mark.parametrize("seed", range(5))
def test_leaving_out_inner_pixels_of_markers_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    score = ndimage.gaussian_filter(rng.standard_normal((80, 90)), 3).astype(np.float32)
    mask = score > np.percentile(score, 30)
    markers, _ = ndimage.label(score > np.percentile(score, 70))
    regions, _ = ndimage.label(mask)
    clumped = np.isin(regions, [n for n in range(1, regions.max() + 1) if len(np.unique(markers[regions == n])) > 2])
    assert clumped.any()
    expected = watershed(-score, np.where(clumped, markers, 0), mask=clumped)
    found = split_regions(regions, markers, score)
    np.testing.assert_array_equal(np.where(clumped, found - regions.max(), 0), expected)


def test_drawn_pairs_are_split_with_perfect_probabilities():
    truth = draw_field((200, 200), columns=2, touching=True).labels
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
    planes = planes_by_role(np.stack([value, 2 * value, value]), ("background", "interior", "boundary"))
    np.testing.assert_allclose(foreground_probability(planes), 0.75)
    np.testing.assert_allclose(marker_score(planes), 0.375)
    np.testing.assert_allclose(foreground_probability({"interior": value}), 0.25)
    np.testing.assert_allclose(marker_score({"foreground": value, "border": 2 * value}), 0.125)
