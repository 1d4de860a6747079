import numpy as np
import pytest

from cpunet.outcomes import count_outcomes, outcomes, pool_counts
from cpunet.scores import score_image
from tests.boxes import FIRST, PREDICTION, SECOND, THIRD, TRUTH, boxes

CASES = {
    "kept": (boxes((2, 14, 2, 14)), boxes((2, 14, 2, 13))),
    "wrong_size": (boxes((2, 14, 2, 14)), boxes((0, 18, 0, 18))),
    "merged": (boxes((2, 14, 2, 14), (2, 14, 14, 26)), boxes((2, 14, 2, 26))),
    "cut": (boxes((2, 14, 2, 26)), boxes((2, 14, 2, 13), (2, 14, 14, 26))),
    "invented": (boxes(), boxes(FIRST)),
    "missed": (boxes(FIRST), boxes()),
}


@pytest.mark.parametrize("fate", CASES)
def test_each_object_has_one_fate(fate):
    truth, prediction = CASES[fate]
    counts = count_outcomes(truth * 3, prediction * 2)
    names = ("kept", "wrong_size", "merged", "cut", "missed", "invented")
    found = {name: getattr(counts, name) for name in names}
    expected = len(np.unique(truth)) - 1 if fate != "invented" else 1
    assert found == {**dict.fromkeys(names, 0), fate: expected}
    drawn = outcomes(truth * 3, prediction * 2)
    np.testing.assert_array_equal(getattr(drawn, fate), truth * 3 if fate == "missed" else prediction * 2)
    wanted = truth * 3 if fate in ("wrong_size", "merged", "cut") else 0 * truth
    np.testing.assert_array_equal(drawn.wanted, wanted)
    assert drawn.wrong.any() == (fate != "kept")


def test_a_small_object_beside_a_kept_one_is_invented():
    counts = count_outcomes(boxes(FIRST), boxes((2, 14, 2, 12), (2, 14, 12, 14)))
    assert (counts.kept, counts.cut, counts.invented) == (1, 0, 1)


def test_an_object_with_an_iou_of_just_the_threshold_is_not_kept():
    truth = boxes((0, 10, 0, 10))
    assert count_outcomes(truth, boxes((0, 7, 0, 10))).wrong_size == 1
    assert count_outcomes(truth, boxes((0, 8, 0, 10))).kept == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_fates_of_noise_add_up_and_agree_with_the_scores(seed):
    rng = np.random.default_rng(seed)
    truth, prediction = (np.kron(rng.integers(0, 9, (8, 8)), np.ones((5, 5), int)) for _ in range(2))
    counts, scores = count_outcomes(truth, prediction), score_image(truth, prediction)
    true = counts.kept + counts.wrong_size + counts.merged + counts.cut + counts.missed
    assert true == scores.truth_count
    assert counts.kept == scores.tp[4]
    assert counts.merged == scores.under_segmented
    assert counts.cut <= scores.over_segmented
    drawn = outcomes(truth, prediction)
    parts = [drawn.kept, drawn.wrong_size, drawn.merged, drawn.cut, drawn.invented]
    np.testing.assert_array_equal(sum(parts), prediction)


def test_counts_of_images_add_up():
    first, second = (
        count_outcomes(TRUTH, PREDICTION),
        count_outcomes(boxes(FIRST, SECOND, THIRD), boxes((0, 16, 0, 16))),
    )
    both = pool_counts([first, second])
    assert (first.kept, first.missed, first.invented) == (1, 1, 1)
    assert (both.kept, both.missed, both.wrong_size) == (1, 3, 1)
    assert both.area_ratios.tolist() == pytest.approx([1, 256 / 144])
