from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.calibration import LEVELS, Trial, best_trial, calibrate, least_gain
from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import DataError
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.steps.outlines import find_edges, move_outlines
from tests.tiny_onnx import changed_card, tiny_onnx

FIELD = synthetic_field((240, 300), columns=9, diameter_px=20)


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


def drawn_at(level):
    """The field with labels whose outlines lie at a level of the edge."""
    image = ndimage.gaussian_filter(FIELD.image, 1.5)
    return LabeledImage(image, move_outlines(FIELD.labels, find_edges(FIELD.labels, image), None, level))


def test_the_level_at_which_the_labels_were_drawn_is_found(model):
    truth = drawn_at(0.25)
    trials = calibrate(model, [truth])
    best = best_trial(trials)
    assert best.foreground_threshold is None
    assert best.outline_level == pytest.approx(0.25, abs=0.051)
    assert best.scores.f1[0.9] > 0.9 > trials[0].scores.f1[0.9]


def test_outlines_that_the_model_draws_right_stay_as_it_learned_them(model):
    image = drawn_at(0.5).image
    truth = LabeledImage(image, segment_image(image, model).labels)
    assert best_trial(calibrate(model, [truth])).outline_level is None


def test_trials_score_what_the_runtime_gives(model):
    truth = drawn_at(0.3)
    trials = calibrate(model, [truth, truth], Options(diameter_px=20))
    assert (trials[0].foreground_threshold, trials[0].outline_level) == (None, None)
    assert len({(trial.foreground_threshold, trial.outline_level) for trial in trials}) == len(trials)
    for trial in (trials[0], trials[3], trials[-1]):
        options = Options(
            diameter_px=20, foreground_threshold=trial.foreground_threshold, outline_level=trial.outline_level
        )
        score = score_image(truth.labels, segment_image(truth.image, model, options).labels)
        assert trial.scores == pool_scores([score, score])


def test_the_network_runs_once_for_all_trials(model, monkeypatch):
    calls = []
    predict = type(model).predict
    monkeypatch.setattr(type(model), "predict", lambda self, batch: calls.append(1) or predict(self, batch))
    truth = drawn_at(0.5)
    segment_image(truth.image, model)
    once = len(calls)
    calibrate(model, [truth])
    assert len(calls) == 2 * once


def test_a_model_of_boundaries_alone_has_no_foreground_threshold_to_try(tmp_path):
    path = tmp_path / "boundary.onnx"
    path.write_bytes(tiny_onnx(changed_card(output={"roles": ["boundary"]})))
    trials = calibrate(load_model(path), [drawn_at(0.5)])
    assert [trial.outline_level for trial in trials] == [None, *LEVELS]
    assert {trial.foreground_threshold for trial in trials} == {None}


def test_images_without_labels_are_refused(model):
    empty = LabeledImage(FIELD.image, np.zeros_like(FIELD.labels))
    with pytest.raises(DataError, match="no labeled object in 2 images"):
        calibrate(model, [empty, empty])


def test_few_objects_ask_for_a_large_gain():
    assert least_gain(100) == pytest.approx(0.05)
    assert least_gain(2500) == pytest.approx(0.01)


def trial(threshold, level, mean_f1):
    nothing = pool_scores([score_image(FIELD.labels, np.zeros_like(FIELD.labels))])
    return Trial(threshold, level, replace(nothing, mean_f1=mean_f1))


@pytest.mark.parametrize(
    ("level_gains", "both_gain", "expected"),
    [(0, 0, (None, None)), (0.9, 0.9, (None, None)), (1.1, 1.2, (None, 0.3)), (1.1, 2.2, (0.4, 0.3))],
    ids=["tie", "by chance", "one", "both"],
)
def test_a_setting_is_changed_only_for_a_gain(level_gains, both_gain, expected):
    gain = least_gain(FIELD.labels.max())
    trials = [
        trial(None, None, 0.5),
        trial(None, 0.3, 0.5 + level_gains * gain),
        trial(0.4, None, 0.5),
        trial(0.4, 0.3, 0.5 + both_gain * gain),
    ]
    best = best_trial(trials)
    assert (best.foreground_threshold, best.outline_level) == expected
    assert best_trial(trials[:1]) is trials[0]
