import tracemalloc
from itertools import permutations

import numpy as np
import pytest

from cpunet import scores as scores_module
from cpunet.scores import IOU_THRESHOLDS, matched_iou, overlap, pool_scores, score_image


def field(*boxes, shape=(30, 30)):
    labels = np.zeros(shape, np.int32)
    for number, (top, bottom, left, right) in enumerate(boxes, start=1):
        labels[top:bottom, left:right] = number
    return labels


def random_pair(seed):
    rng = np.random.default_rng(seed)
    truth = field(*[(y, y + 7, x, x + 7) for y in (0, 10, 20) for x in (0, 10, 20)])
    shift = rng.integers(-3, 4, 2)
    prediction = np.roll(truth, shift, axis=(0, 1))
    prediction[prediction == rng.integers(1, 10)] = 0
    return truth, prediction * 3  # numbers with gaps


def brute_force_iou(truth, prediction):
    rows = [number for number in np.unique(truth) if number]
    columns = [number for number in np.unique(prediction) if number]
    return np.array(
        [
            [((truth == r) & (prediction == c)).sum() / ((truth == r) | (prediction == c)).sum() for c in columns]
            for r in rows
        ]
    ).reshape(len(rows), len(columns))


@pytest.mark.parametrize("seed", range(4))
def test_iou_equals_brute_force(seed):
    truth, prediction = random_pair(seed)
    np.testing.assert_allclose(overlap(truth, prediction).iou, brute_force_iou(truth, prediction))


def test_matching_is_the_best_pairing():
    iou = np.random.default_rng(0).random((4, 4)) / 2
    best = max(sum(iou[i, p[i]] for i in range(4)) for p in permutations(range(4)))
    assert matched_iou(iou).sum() == pytest.approx(best)


def test_perfect_prediction_scores_one_everywhere():
    truth, _ = random_pair(0)
    scores = pool_scores([score_image(truth, truth[::1] * 2)])
    assert scores.mean_f1 == scores.mean_average_precision == scores.panoptic_quality == scores.dice == scores.iou == 1
    assert scores.precision == scores.recall == 1
    assert scores.over_segmented == scores.under_segmented == scores.count_error == 0


def test_match_needs_more_than_the_threshold():
    truth, prediction = field((0, 10, 0, 10)), field((0, 10, 0, 5))
    scores = score_image(truth, prediction)
    assert overlap(truth, prediction).iou[0, 0] == 0.5
    assert scores.tp[0] == 0
    assert scores.iou_sum == 0


def test_figures_of_a_worked_example():
    # truth: three objects; found: one exactly, one with IoU 0.8, one nowhere near
    truth = field((0, 10, 0, 10), (0, 10, 15, 25), (20, 25, 0, 5))
    prediction = field((0, 10, 0, 10), (0, 8, 15, 25), (20, 25, 20, 25))
    scores = pool_scores([score_image(truth, prediction)])
    assert scores.f1[0.75] == pytest.approx(2 / 3)
    assert scores.f1[0.8] == pytest.approx(1 / 3)
    assert scores.average_precision[0.5] == pytest.approx(2 / 4)
    assert scores.mean_f1 == pytest.approx((6 * 2 / 3 + 3 * 1 / 3) / 9)
    assert scores.mean_average_precision == pytest.approx((6 * 0.5 + 4 * 0.2) / 10)
    assert scores.panoptic_quality == pytest.approx((1 + 0.8) / 3)
    assert (scores.precision, scores.recall) == pytest.approx((2 / 3, 2 / 3))
    assert scores.dice == pytest.approx(2 * 180 / (225 + 205))


def test_over_and_under_segmentation():
    whole, halves = field((0, 10, 0, 20)), field((0, 10, 0, 10), (0, 10, 10, 20))
    split = score_image(whole, halves)
    assert (split.over_segmented, split.under_segmented) == (1, 0)
    merged = score_image(halves, whole)
    assert (merged.over_segmented, merged.under_segmented) == (0, 2)


@pytest.mark.parametrize(
    ("truth", "prediction", "f1"),
    [
        (field(), field(), 1),
        (field((0, 5, 0, 5)), field(), 0),
        (field(), field((0, 5, 0, 5)), 0),
    ],
    ids=["nothing found where nothing is", "all missed", "all invented"],
)
def test_empty_images(truth, prediction, f1):
    scores = pool_scores([score_image(truth, prediction)])
    assert scores.mean_f1 == scores.mean_average_precision == scores.panoptic_quality == f1
    assert scores.mean_f1_per_image == f1


def test_pooled_and_per_image_differ_as_they_should():
    good = field(*[(y, y + 5, x, x + 5) for y in (0, 10, 20) for x in (0, 10, 20)])
    missed = field((0, 5, 0, 5))
    scores = pool_scores([score_image(good, good), score_image(missed, field())])
    assert scores.mean_f1 == pytest.approx(18 / 19)
    assert scores.mean_f1_per_image == pytest.approx(0.5)
    assert scores.count_error == pytest.approx(0.5)


def test_thresholds():
    assert IOU_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="must agree"):
        score_image(field(), field(shape=(5, 5)))


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="no images"):
        pool_scores([])


def test_what_was_not_judged_counts_neither_way():
    truth, prediction = random_pair(1)
    half = np.arange(30) >= 16  # behind it whatever is found or missed
    part = np.where(half, -1, truth)
    wrong = prediction.copy()
    wrong[:, 18:] = 50
    cut = [np.where(half, 0, each) for each in (truth, prediction)]
    # The third column of objects lies behind it as a whole, the second one reaches half a pixel or more over it.
    assert score_image(part, prediction).truth_count == score_image(cut[0], cut[1]).truth_count
    assert score_image(part, wrong).prediction_count <= score_image(part, prediction).prediction_count + 1
    perfect = score_image(part, truth)
    assert perfect.tp[-1] == perfect.truth_count == perfect.prediction_count
    assert perfect.pixels_both == perfect.pixels_truth == perfect.pixels_prediction


def test_an_object_that_lies_mostly_where_nobody_judged_is_no_false_positive():
    truth = np.where(np.arange(30) >= 10, -1, field((0, 10, 0, 5)))
    mostly_behind, mostly_judged = field((20, 25, 8, 13)), field((20, 25, 6, 11))
    assert score_image(truth, mostly_behind).prediction_count == 0
    assert score_image(truth, mostly_judged).prediction_count == 1


@pytest.mark.parametrize("at_once", [7, 900, 2**21])
@pytest.mark.parametrize("low", [0, -1])
def test_volumes_are_scored_alike_however_many_voxels_are_counted_at_once(monkeypatch, at_once, low):
    truth, prediction = (np.stack([plane, np.roll(plane, 2, axis=1), 0 * plane]) for plane in random_pair(2))
    truth = np.where(np.random.default_rng(0).random(truth.shape) < 0.05, low, truth)
    expected = score_image(truth.reshape(-1, 30), prediction.reshape(-1, 30))  # planes one below the other
    monkeypatch.setattr(scores_module, "COUNTED_AT_ONCE", at_once)
    assert score_image(truth, prediction) == expected
    if not low:
        np.testing.assert_allclose(overlap(truth, prediction).iou, brute_force_iou(truth, prediction))
    large = np.where(prediction > 0, prediction + 10**6, 0)  # numbers above that of the voxels
    assert score_image(truth, large) == expected
    assert expected.truth_count == 9
    assert expected.prediction_count == 8


def test_counting_a_large_volume_takes_no_memory_of_its_size():
    truth = np.zeros((64, 512, 512), np.int32)  # 64 MiB
    truth[10:50, 100:400, 100:400] = 1
    tracemalloc.start()
    shared = overlap(truth, np.roll(truth, 1, axis=0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shared.iou[0, 0] == pytest.approx(39 / 41)
    assert peak < 2.5 * truth.nbytes  # with the rolled copy; at once, as 8 bytes a voxel, it would be 5 times
