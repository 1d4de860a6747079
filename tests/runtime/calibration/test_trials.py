import numpy as np
import pytest
from scipy import ndimage

from cpunet.calibration.settings import card_with, settings_of, with_value
from cpunet.calibration.trials import RememberingModel, Trials, parts_of
from cpunet.checks.synthetic import synthetic_field
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import score_image
from cpunet.segment import segment_image

FIELD = synthetic_field((120, 150), columns=5, diameter_px=20)
TRUTH = LabeledImage(ndimage.gaussian_filter(FIELD.image, 1.5), FIELD.labels)


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


def test_images_are_parts_and_one_or_two_are_quartered():
    assert [part.image for part in parts_of([TRUTH] * 3)] == [0, 1, 2]
    quarters = parts_of([TRUTH] * 2)
    assert [part.image for part in quarters] == [0] * 4 + [1] * 4
    seen = np.zeros(TRUTH.labels.shape, int)
    for part in quarters[:4]:
        seen[part.window] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("outline_shift_px", 2.0), ("outline_level", 0.3), ("foreground_threshold", 0.3), ("diameter_range_px", (5, 8))],
)
def test_trials_score_what_the_runtime_gives(model, name, value):
    settings = with_value(settings_of(model.card), name, value)
    if name == "diameter_range_px":
        settings = with_value(settings, name, (20 / 1.1, 20 * 1.1))
    trials = Trials(model, [TRUTH] * 3, Options(diameter_px=20))
    trials.scores(settings_of(model.card), [0, 1, 2])
    remembering = RememberingModel(model)
    remembering.card = card_with(model.card, settings)
    expected = segment_image(TRUTH.image, remembering, Options(diameter_px=20)).labels
    assert trials.scores(settings, [2, 0]) == [score_image(TRUTH.labels, expected)] * 2
    quarters = Trials(model, [TRUTH], Options(diameter_px=20))
    window = quarters.parts[2].window
    assert quarters.scores(settings, [2]) == [score_image(TRUTH.labels[window], expected[window])]


def test_the_network_runs_once_for_all_trials(model, monkeypatch):
    calls = []
    predict = type(model).predict
    monkeypatch.setattr(type(model), "predict", lambda self, batch: calls.append(1) or predict(self, batch))
    trials, own = Trials(model, [TRUTH], Options(scale=1.0)), settings_of(model.card)
    for shift_px in (0.0, 1.0, 2.0):
        for threshold in (0.4, 0.5):
            settings = with_value(with_value(own, "outline_shift_px", shift_px), "foreground_threshold", threshold)
            trials.scores(settings, [0, 1, 2, 3])
    assert len(calls) == 1
    assert trials.tried() == 6
