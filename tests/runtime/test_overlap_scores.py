import numpy as np
import pytest

from cpunet.overlap_scores import OverlapCounts, count_overlap, pool_overlap


def brute_force(truth, prediction):
    """The definitions, object by object and pixel by pixel."""
    judged = truth >= 0
    true, found = [n for n in np.unique(truth) if n > 0], [n for n in np.unique(prediction) if n > 0]
    # An object of which more than half lies in pixels that nobody judged was not judged.
    found = [n for n in found if np.mean(~judged[prediction == n]) <= 0.5]
    prediction = np.where(judged & np.isin(prediction, found), prediction, 0)
    truth = np.where(judged, truth, 0)
    holds = {p: [t for t in true if np.mean(prediction[truth == t] == p) > 0.5] for p in found}
    merging = [p for p in found if len(holds[p]) > 1]
    return OverlapCounts(
        pixels=int(judged.sum()),
        pixels_truth=int((truth > 0).sum()),
        pixels_prediction=int((prediction > 0).sum()),
        pixels_both=int(((truth > 0) & (prediction > 0)).sum()),
        truth_count=len(true),
        prediction_count=len(found),
        truth_hit=sum(bool(prediction[truth == t].any()) for t in true),
        prediction_hit=sum(bool(truth[prediction == p].any()) for p in found),
        merging=len(merging),
        merged=sum(len(holds[p]) for p in merging),
    )


def blobs(rng, number, low=0):
    """Random rectangles, later ones over earlier ones."""
    labels = np.zeros((30, 40), np.int32)
    for label in range(1, number + 1):
        y, x, height, width = rng.integers(0, 30), rng.integers(0, 40), *rng.integers(2, 12, 2)
        labels[y : y + height, x : x + width] = label
    if low:
        labels[rng.random(labels.shape) < 0.1] = low
    return labels


@pytest.mark.parametrize("low", [0, -1])
def test_counts_are_those_of_the_definitions(low):
    rng = np.random.default_rng(3)
    for _ in range(40):
        truth, prediction = blobs(rng, rng.integers(0, 9), low), blobs(rng, rng.integers(0, 6))
        assert count_overlap(truth, prediction) == brute_force(truth, prediction)


def test_a_shifted_label_counts_though_its_iou_is_low():
    truth = np.zeros((20, 20), int)
    truth[2:10, 2:10] = 1
    scores = pool_overlap([count_overlap(truth, np.roll(truth, 6, axis=(0, 1)))])
    assert scores.iou < 0.1
    assert (scores.object_precision, scores.object_recall, scores.object_f1) == (1, 1, 1)


def test_one_object_over_two_finds_both_and_is_told_as_a_merge():
    truth = np.array([[1, 1, 1, 0, 2, 2, 2, 0, 0, 3]])
    scores = pool_overlap([count_overlap(truth, np.array([[7, 7, 7, 7, 7, 7, 7, 0, 9, 0]]))])
    assert (scores.object_precision, scores.object_recall) == (0.5, 2 / 3)
    assert scores.object_f1 == pytest.approx(4 / 7)
    assert (scores.merging, scores.merged) == (1, 2)
    assert (scores.pixel_precision, scores.pixel_recall, scores.pixel_accuracy) == (6 / 8, 6 / 7, 7 / 10)
    assert (scores.dice, scores.iou) == (12 / 15, 6 / 9)


def test_scores_are_pooled_over_images():
    one, nothing = np.array([[1, 0]]), np.array([[0, 0]])
    scores = pool_overlap([count_overlap(one, one), count_overlap(one, nothing)])
    assert (scores.object_precision, scores.object_recall, scores.pixel_accuracy) == (1, 0.5, 0.75)


def test_nothing_to_find_and_nothing_found_is_perfect():
    nothing = np.zeros((4, 4), int)
    scores = pool_overlap([count_overlap(nothing, nothing)])
    assert (scores.object_f1, scores.dice, scores.pixel_accuracy, scores.merging) == (1, 1, 1, 0)
    missed = pool_overlap([count_overlap(np.ones((4, 4), int), nothing)])
    assert (missed.object_precision, missed.object_recall, missed.object_f1) == (1, 0, 0)


def test_other_shapes_and_no_images_are_refused():
    with pytest.raises(ValueError, match="must agree"):
        count_overlap(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="no images"):
        pool_overlap([])
