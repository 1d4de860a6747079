import numpy as np
import pytest

from cpunet.model.card import Postprocessing
from cpunet.training.tuning import settings_scores
from cpunet.training.tuning.settings_scores import Predicted, SettingsScorer, score_settings

ROLES = ("foreground",)


@pytest.fixture
def predicted():
    rng = np.random.default_rng(0)
    images = [
        Predicted(rng.random((1, 30, 30)).astype(np.float32), rng.integers(0, 4, (30, 30)).astype(np.int32), 1.0)
        for _ in range(5)
    ]
    return [images[:2], images[2:]]


@pytest.mark.parametrize("cores", [1, 2])
def test_any_number_of_processes_finds_the_same_scores_in_the_same_order(predicted, cores):
    settings = [Postprocessing(foreground_threshold=threshold) for threshold in (0.3, 0.7)]
    with SettingsScorer(predicted, ROLES, cores) as scorer:
        for each in settings:
            expected = [[score_settings(image, ROLES, each) for image in images] for images in predicted]
            assert scorer(each) == expected


def test_settings_are_scored_once(predicted, monkeypatch):
    calls = []
    monkeypatch.setattr(
        settings_scores, "score_settings", lambda image, roles, settings: calls.append(settings) or score_settings
    )
    with SettingsScorer(predicted, ROLES, cores=1) as scorer:
        scorer(Postprocessing())
        scorer(Postprocessing())
    assert len(calls) == 5
