"""What is measured of candidates, with numbers that both releases of scikit-image must give."""

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.choice.features import (
    FoundByModel,
    agreement,
    convex_areas,
    feature_names,
    features_of_candidates,
    shared_pixels,
)
from cpunet.steps.filters import relabel

# Of `drawn_objects`, by label: what scikit-image 0.18.3 and 0.26 both compute.
EXPECTED = {
    "area_px": [89, 24, 13],
    "perimeter_px": [32.9706, 18.0, 11.3137],
    "eccentricity": [0.0, 0.9344, 0.0],
    "major_axis_px": [10.6423, 9.1652, 4.1510],
    "minor_axis_px": [10.6423, 3.2660, 4.1510],
    "convex_area_px": [99.0, 24.0, 17.0],
    "form_factor": [1.0288, 0.9308, 1.2763],
    "touches_frame": [0, 1, 0],
}


def drawn_objects():
    """A disc, a bar at the frame, and a small diamond."""
    y, x = np.mgrid[:30, :30]
    labels = np.zeros((30, 30), np.int32)
    labels[(y - 8) ** 2 + (x - 8) ** 2 <= 26] = 1
    labels[20:23, 0:8] = 2
    labels[abs(y - 20) + abs(x - 20) <= 2] = 3
    return labels


def found(labels, foreground=None, confidence=None):
    return FoundByModel(labels, (labels > 0).astype(np.float32) if foreground is None else foreground, confidence)


def column(table, name):
    return table[:, feature_names(2).index(name)]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_feature_is_the_same_number_with_every_release_of_scikit_image(name):
    table = features_of_candidates([found(drawn_objects()), found(np.zeros((30, 30), np.int32))])
    np.testing.assert_allclose(column(table, name), EXPECTED[name], atol=1e-3)


def test_shapes_relative_to_others_and_to_their_hull():
    table = features_of_candidates([found(drawn_objects()), found(np.zeros((30, 30), np.int32))])
    np.testing.assert_allclose(column(table, "area_over_typical"), np.array([89, 24, 13]) / 24, rtol=1e-6)
    np.testing.assert_allclose(column(table, "solidity"), [89 / 99, 1.0, 13 / 17], rtol=1e-6)
    np.testing.assert_allclose(column(table, "extent"), [89 / 121, 1.0, 13 / 25], rtol=1e-6)


def test_a_hull_is_that_of_all_corners():
    rng = np.random.default_rng(0)
    labels = relabel((rng.random((40, 40)) > 0.6).astype(np.int32) * rng.integers(1, 4, (40, 40)).astype(np.int32))
    for number, area in enumerate(convex_areas(labels), 1):
        assert area >= (labels == number).sum()
    square = np.zeros((6, 6), np.int32)
    square[1:5, 1:5] = 1
    square[2:4, 2:4] = 0  # a hole lies inside the hull
    assert convex_areas(square).tolist() == [16]
    assert len(convex_areas(np.zeros((3, 3), np.int32))) == 0


def test_what_the_other_model_sees_is_counted():
    whole = np.zeros((10, 20), np.int32)
    whole[2:8, 2:18] = 1
    parts = np.zeros_like(whole)
    parts[2:8, 2:10], parts[2:8, 10:18] = 1, 2
    table = features_of_candidates([found(whole), found(parts)])
    assert column(table, "model").tolist() == [0, 1, 1]
    assert column(table, "iou_with_1").tolist() == [1, 0.5, 0.5]
    assert column(table, "iou_with_2").tolist() == [0.5, 1, 1]
    assert column(table, "objects_inside_2").tolist() == [2, 1, 1]
    assert column(table, "objects_inside_1").tolist() == [1, 0, 0]


def test_the_confidence_is_the_models_own_where_it_has_one():
    labels = drawn_objects()
    foreground = np.where(labels == 2, 0.6, np.where(labels > 0, 0.9, 0)).astype(np.float32)
    scored = np.array([0.1, 0.2, 0.3])
    table = features_of_candidates([found(labels, foreground), found(labels, foreground, scored)])
    np.testing.assert_allclose(column(table, "confidence"), [0.9, 0.6, 0.9, 0.1, 0.2, 0.3], rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (40, 1)])
def test_no_candidates_have_no_features(shape):
    empty = found(np.zeros(shape, np.int32))
    assert features_of_candidates([empty, empty]).shape == (0, len(feature_names(2)))


@pytest.mark.parametrize("labels", [np.ones((1, 1), np.int32), np.array([[1, 0, 2]], np.int32)])
def test_objects_of_one_pixel_have_finite_features(labels):
    table = features_of_candidates([found(labels), found(labels)])
    assert np.isfinite(table).all()
    assert column(table, "iou_with_1").tolist() == [1] * len(table)


def test_shared_pixels_and_agreement_equal_those_of_each_pair():
    rng = np.random.default_rng(1)
    one, other = (rng.integers(0, 5, (20, 20)).astype(np.int32) for _ in range(2))
    shared = shared_pixels(one, other).toarray()
    agrees = agreement(one, other, 4)
    for a in range(1, 5):
        ious = []
        for b in range(1, 5):
            both = ((one == a) & (other == b)).sum()
            assert shared[a - 1, b - 1] == both
            ious.append(both / ((one == a) | (other == b)).sum())
        assert agrees[a - 1, 0] == pytest.approx(max(ious))


def test_features_do_not_change_what_they_are_made_of():
    drawn = synthetic_field((60, 60), columns=2, diameter_px=18)
    before = drawn.labels.copy()
    features_of_candidates([found(drawn.labels.astype(np.int32)), found(drawn.labels.astype(np.int32))])
    np.testing.assert_array_equal(drawn.labels, before)
