import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.scores import pool_scores, score_image
from cpunet.steps.declump import declump
from cpunet.training.patches.targets import (
    KINDS,
    Targets,
    border_between_objects,
    boundary_band,
    distance_to_other,
    gaussian_boundary,
    make_targets,
    normalized_distance,
    three_classes,
)


def brute_force_border(labels, reach):
    """Mark each pixel whose square neighborhood holds two different objects."""
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


def brute_force_distance_to_other(labels):
    """For each pixel the distance to the nearest pixel of another label."""
    result = np.full(labels.shape, np.inf)
    every = np.argwhere(np.ones(labels.shape, bool))
    for y, x in every:
        others = every[(labels != labels[y, x]).ravel()]
        result[y, x] = np.hypot(*(others - (y, x)).T).min(initial=np.inf)
    return result


LABELS = synthetic_field((60, 70), columns=3, diameter_px=16, touching=True, seed=2).labels


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_border_equals_brute_force(reach):
    expected = brute_force_border(LABELS, reach)
    assert expected.any()
    np.testing.assert_array_equal(border_between_objects(LABELS, reach), expected)
    # The largest int64, which once stood for the background, overflowed in scipy's filter.
    np.testing.assert_array_equal(border_between_objects(LABELS.astype(np.int64), reach), expected)


def test_distance_equals_brute_force():
    # A rim pixel of a neighbor may be nearer than the object's own rim by less than a pixel.
    np.testing.assert_allclose(normalized_distance(LABELS), brute_force_distance(LABELS), atol=0.12)
    alone = np.where(LABELS == 3, 3, 0)
    np.testing.assert_allclose(normalized_distance(alone), brute_force_distance(alone), atol=1e-6)


def test_each_object_reaches_one_in_its_middle_whatever_its_size():
    distance = normalized_distance(LABELS)
    assert [distance[number == LABELS].max() for number in np.unique(LABELS)[1:]] == [1] * LABELS.max()
    assert not distance[LABELS == 0].any()


AWAY = brute_force_distance_to_other(LABELS)


def test_distance_to_other_equals_brute_force():
    np.testing.assert_allclose(distance_to_other(LABELS), AWAY, rtol=1e-6)


@pytest.mark.parametrize("width", [2, 4, 6, 8])
def test_boundary_equals_brute_force_and_runs_over_both_sides(width):
    band = boundary_band(LABELS, width)
    np.testing.assert_array_equal(band, width / 2 >= AWAY)
    assert band[LABELS > 0].any()
    assert band[LABELS == 0].any()


@pytest.mark.parametrize("width", [2, 4, 6, 8])
def test_a_straight_boundary_is_as_wide_as_asked_for(width):
    labels = np.repeat([[0] * 12 + [1] * 12 + [2] * 12], 5, axis=0)
    rows = boundary_band(labels, width)
    assert rows.sum(axis=1).tolist() == [2 * width] * 5


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_gaussian_equals_brute_force(sigma):
    expected = np.exp(-((AWAY - 0.5) ** 2) / (2 * sigma**2))
    np.testing.assert_allclose(gaussian_boundary(LABELS, sigma), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_three_classes_equal_brute_force(width):
    background, interior, boundary = three_classes(LABELS, width)
    np.testing.assert_array_equal(background, LABELS == 0)
    np.testing.assert_array_equal(boundary, (LABELS > 0) & (width >= AWAY))
    np.testing.assert_array_equal(interior, (LABELS > 0) & (width < AWAY))


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_do_not_matter(kind):
    renumbered = np.where(LABELS > 0, 3 * (LABELS.max() + 1 - LABELS) + 5, 0).astype(np.int32)
    targets = Targets(kind)
    np.testing.assert_array_equal(make_targets(renumbered, targets), make_targets(LABELS, targets))


def test_each_kind_has_planes_of_its_own():
    planes = {kind: make_targets(LABELS, Targets(kind)) for kind in KINDS}
    for kind, found in planes.items():
        assert found.shape == (len(KINDS[kind]), *LABELS.shape)
        assert found.dtype == np.float32
        assert not any(
            other != kind and found.shape == planes[other].shape and np.array_equal(found, planes[other])
            for other in KINDS
        )
    by_role = dict(zip(KINDS["foreground_boundary_distance"], planes["foreground_boundary_distance"], strict=True))
    np.testing.assert_array_equal(by_role["foreground"], LABELS > 0)
    np.testing.assert_array_equal(by_role["boundary"], boundary_band(LABELS, 2))
    np.testing.assert_array_equal(by_role["distance"], normalized_distance(LABELS))
    border = planes["foreground_border"][1]
    np.testing.assert_array_equal(border, border_between_objects(LABELS, 2))
    np.testing.assert_array_equal(planes["foreground_border_distance"][1], border)


def test_only_three_classes_exclude_each_other():
    assert [kind for kind in KINDS if Targets(kind).activation == "softmax"] == ["three_class"]
    assert (make_targets(LABELS, Targets("three_class")).sum(axis=0) == 1).all()


@pytest.mark.parametrize("labels", [np.zeros((8, 8), np.int32), np.ones((8, 8), np.int32), np.eye(8, dtype=np.int32)])
@pytest.mark.parametrize("kind", KINDS)
def test_empty_full_and_thin(labels, kind):
    targets = make_targets(labels, Targets(kind))
    assert targets.shape == (len(KINDS[kind]), 8, 8)
    assert np.isfinite(targets).all()
    assert targets.min() >= 0
    assert targets.max() <= 1
    if "border" in KINDS[kind]:
        assert not targets[KINDS[kind].index("border")].any()
    if len(np.unique(labels)) == 1 and kind.startswith("boundary"):
        assert not targets.any()


@pytest.mark.parametrize(
    ("targets", "least"),
    [
        (Targets(), 0.97),
        (Targets("foreground_boundary_distance", boundary_width_px=2), 0.97),
        (Targets("foreground_border"), 0.97),
        (Targets("three_class", boundary_width_px=2), 0.97),
        (Targets("three_class", boundary_width_px=1), 0.97),
        (Targets("boundary", boundary_width_px=2), 0.97),
        (Targets("boundary", boundary_width_px=4), 0.95),
        (Targets("boundary", boundary_width_px=6), 0.9),
        (Targets("boundary", boundary_width_px=8), 0.85),
        (Targets("boundary_gaussian", gaussian_sigma_px=1.5), 0.95),
    ],
    ids=lambda value: f"{value.kind}-{value.boundary_width_px}" if isinstance(value, Targets) else "",
)
def test_decoding_gives_the_objects_back(targets, least):
    drawn = synthetic_field((200, 220), columns=4, diameter_px=34, touching=True, seed=3)
    truth = drawn.labels
    found = declump(make_targets(truth, targets), targets.roles, targets.decoding, image=drawn.image[np.newaxis])
    scores = pool_scores([score_image(truth, found)])
    assert scores.prediction_count == truth.max()
    assert scores.iou > least
    assert scores.f1[0.8] == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "mask"}, "kind: must be one of"),
        ({"kind": "boundary", "boundary_width_px": 3}, "even"),
        ({"boundary_width_px": 0}, "even"),
        ({"border_reach_px": 0}, "border_reach_px"),
        ({"gaussian_sigma_px": 0.0}, "gaussian_sigma_px"),
    ],
)
def test_measures_that_cannot_be_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Targets(**values)
