from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.calibration.calibrate import calibrate, interval_of_gain
from cpunet.calibration.settings import settings_of, value_of
from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import DataError
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.session import load_model
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.steps.outline_shift import shift_outlines


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


def field(seed):
    image = synthetic_field((130, 160), columns=5, diameter_px=20, seed=seed).image
    return ndimage.gaussian_filter(image, 1.5)


def labeled(model, seed, shift_px):
    """A field with the objects that the model draws, drawn larger or smaller."""
    image = field(seed)
    return LabeledImage(image, shift_outlines(segment_image(image, model).labels, shift_px))


@pytest.mark.parametrize("shift_px", [-2, 3])
@pytest.mark.parametrize("images", [1, 3])
def test_the_habit_of_drawing_larger_or_smaller_is_found_and_its_gain_measured(model, shift_px, images):
    found = calibrate(model, [labeled(model, seed, shift_px) for seed in range(images)])
    assert found.is_better
    assert found.after.f1[0.9] > 0.95 > 0.5 > found.before.f1[0.9]
    assert 0 < found.gain_low <= found.gain <= found.gain_high
    assert found.parts == (4 if images == 1 else 3)
    assert len(found.of_folds) == found.parts


def test_a_model_that_draws_right_is_left_alone(model):
    found = calibrate(model, [labeled(model, seed, 0) for seed in range(3)])
    assert found.chosen == found.own == settings_of(model.card)
    assert not found.is_better
    assert found.gain == 0


def test_a_habit_of_one_image_alone_does_not_hold_on_the_others(model):
    few = [labeled(model, 0, 4), labeled(model, 1, 0), labeled(model, 2, 0), labeled(model, 3, -2)]
    found = calibrate(model, few)
    assert not found.is_better
    assert found.gain_low <= 0


def test_each_fold_is_scored_with_settings_that_did_not_see_it(model):
    few = [labeled(model, 0, 3), labeled(model, 1, 3), labeled(model, 2, -3)]
    found = calibrate(model, few)
    shifts = [value_of(each, "outline_shift_px") for each in found.of_folds]
    assert shifts[2] > 0  # chosen on the two that are drawn larger
    last = segment_image(few[2].image, model).labels
    assert found.before.truth_count == sum(int(each.labels.max()) for each in few)
    assert score_image(few[2].labels, shift_outlines(last, shifts[2])).tp[8] == 0
    assert found.after.f1[0.9] < 0.7


def test_progress_counts_the_searches(model):
    seen = []
    calibrate(model, [labeled(model, 0, 0)] * 3, on_progress=lambda done, total, name: seen.append((done, total)))
    assert seen[0] == (0, 4)
    assert {done for done, _ in seen} == {0, 1, 2, 3}


def test_images_without_labels_are_refused(model):
    empty = LabeledImage(field(0), np.zeros((130, 160), np.int32))
    with pytest.raises(DataError, match="no labeled object in 2 images"):
        calibrate(model, [empty, empty])


def scores(tp, count=10):
    return ImageScores(count, count, (tp,) * 10, 0.0, 0, 0, 0, 0, 0)


def test_the_interval_of_the_gain_is_wide_where_images_disagree():
    before = [scores(5)] * 4
    low, high = interval_of_gain(before, [scores(6)] * 4)
    assert low == pytest.approx(0.1) == high
    low, high = interval_of_gain(before, [scores(3), scores(5), scores(7), scores(9)])
    assert low < 0 < 0.1 < high
    gain = pool_scores([scores(7)]).mean_f1 - pool_scores(before).mean_f1
    assert interval_of_gain(before[:1], [scores(7)]) == pytest.approx((gain, gain))
    nothing = replace(scores(0), truth_count=0, prediction_count=0)
    assert interval_of_gain([nothing], [nothing]) == (0, 0)
