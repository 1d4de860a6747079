import numpy as np
import pytest

from cpunet.volume_scores import VolumeScores, mean_of_volumes, score_volume


def boxes(*boxes, shape=(6, 10, 10)):
    """Label boxes (z, z end, y, y end, x, x end), later ones over earlier ones."""
    labels = np.zeros(shape, np.int32)
    for number, (*planes, top, bottom, left, right) in enumerate(boxes, start=1):
        labels[slice(*planes), top:bottom, left:right] = number
    return labels


# Two nuclei of three planes of 4 x 4 voxels, one above the other and touching, and one of two planes beside them.
ABOVE, BELOW, BESIDE = (0, 3, 1, 5, 1, 5), (3, 6, 1, 5, 1, 5), (0, 2, 1, 5, 6, 10)
TRUTH = boxes(ABOVE, BELOW, BESIDE)  # 48, 48 and 32 voxels


@pytest.mark.parametrize(
    ("found", "seg", "iou", "mucov"),
    [
        ((ABOVE, BELOW, BESIDE), 1, 1, 1),
        ((), 0, 0, 1),
        # The lower nucleus is missed: 80 of 128 voxels.
        ((ABOVE, BESIDE), 2 / 3, 80 / 128, 1),
        # Both in one object of 96: it holds all of each, so it is found for both, with an IoU of 48 / 96.
        (((0, 6, 1, 5, 1, 5), BESIDE), (0.5 + 0.5 + 1) / 3, 1, (0.5 + 1) / 2),
        # The upper nucleus is split, 32 and 16: the larger half is found for it, the other for none.
        (((0, 2, 1, 5, 1, 5), (2, 3, 1, 5, 1, 5), BELOW, BESIDE), (2 / 3 + 1 + 1) / 3, 1, (2 / 3 + 0 + 1 + 1) / 4),
        # Two halves of 24: neither holds more than half.
        (((0, 3, 1, 5, 1, 3), (0, 3, 1, 5, 3, 5), BELOW, BESIDE), 2 / 3, 1, 2 / 4),
        # A false object of 16 voxels.
        ((ABOVE, BELOW, BESIDE, (4, 5, 6, 10, 6, 10)), 1, 128 / 144, 3 / 4),
        # The cut lies a plane too low: 64 and 32 where 48 and 48 are true; 48 of 64, and 32 of 48, agree.
        (((0, 4, 1, 5, 1, 5), (4, 6, 1, 5, 1, 5), BESIDE), (48 / 64 + 32 / 48 + 1) / 3, 1, (48 / 64 + 32 / 48 + 1) / 3),
    ],
    ids=["perfect", "nothing", "missed", "merged", "split", "split in halves", "false", "cut too low"],
)
def test_worked_examples(found, seg, iou, mucov):
    scores = score_volume(TRUTH, boxes(*found) * 3)
    assert (scores.seg, scores.iou, scores.mucov) == pytest.approx((seg, iou, mucov))
    assert (scores.truth_count, scores.prediction_count) == (3, len(found))


@pytest.mark.parametrize(
    ("truth", "found", "expected"), [((), (), (1, 1, 1)), ((), (ABOVE,), (1, 0, 0)), ((ABOVE,), (), (0, 0, 1))]
)
def test_where_there_is_nothing(truth, found, expected):
    scores = score_volume(boxes(*truth), boxes(*found))
    assert (scores.seg, scores.iou, scores.mucov) == expected


def test_planes_that_nobody_labeled_do_not_count():
    truth = TRUTH.copy()
    truth[2:] = -1
    assert score_volume(truth, boxes(ABOVE, BESIDE)) == VolumeScores(1, 1, 1, 2, 2)
    assert score_volume(truth, boxes(ABOVE, BELOW, BESIDE)).prediction_count == 2


def test_volumes_count_alike():
    mean = mean_of_volumes([VolumeScores(1, 0.5, 0, 2, 2), VolumeScores(0, 0.7, 0.5, 40, 30)])
    assert (mean.seg, mean.iou, mean.mucov) == pytest.approx((0.5, 0.6, 0.25))
    assert (mean.truth_count, mean.prediction_count) == (42, 32)
    with pytest.raises(ValueError, match="no volumes"):
        mean_of_volumes([])


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="must agree"):
        score_volume(TRUTH, TRUTH[:-1])
