from dataclasses import replace

import numpy as np
import pytest

from cpunet.model.card import Postprocessing
from cpunet.scores import pool_scores, score_image
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.patches.targets import Targets, make_targets
from cpunet.training.tuning import few_images, settings_scores
from cpunet.training.tuning.few_images import at_the_edge, quality, quarters, tune_on_few
from cpunet.training.tuning.search import candidates
from tests.training.tuning.test_search import KnowingModel


@pytest.fixture
def rows(data_root):
    return read_index(data_root / "drawn")[:4]


def test_all_images_choose_and_those_left_out_judge(rows):
    model = KnowingModel(rows, Targets(), 0.45)
    found = tune_on_few(model, rows, 1.0)
    assert found.images == len(rows)
    assert not found.kept
    assert found.settings.foreground_threshold < 0.45
    assert found.card_left_out < 0.1 < 0.9 < found.left_out
    assert f"found on {len(rows)} images" in str(found)


def test_settings_that_do_not_hold_on_other_images_are_not_taken(rows, monkeypatch):
    """Each image is best at a threshold of its own, and worse at those of the others than as the card says."""
    model = KnowingModel(rows, Targets(), 1.0)
    own = few_images.SettingsScorer.__call__

    def of(truth, best, settings):
        found = settings == Postprocessing() or settings.foreground_threshold == best
        return truth if found else replace(truth, tp=tuple(count // 2 for count in truth.tp))

    def scores(self, settings):
        (truths,) = own(self, Postprocessing())
        return [[of(truth, best, settings) for truth, best in zip(truths, (0.3, 0.35, 0.6, 0.65), strict=True)]]

    monkeypatch.setattr(few_images.SettingsScorer, "__call__", scores)
    found = tune_on_few(model, rows, 1.0)
    assert found.kept
    assert found.settings == model.card.postprocessing
    assert "the usual ones are kept" in str(found)


def test_each_image_is_scored_once_for_the_same_settings(rows, monkeypatch):
    calls = []
    score = settings_scores.score_settings
    monkeypatch.setattr(settings_scores, "cores_allowed", lambda: 1)  # in this process, so that calls are seen
    monkeypatch.setattr(settings_scores, "score_settings", lambda *each: calls.append(each[2]) or score(*each))
    tune_on_few(KnowingModel(rows, Targets(), 0.45), rows, 1.0)
    assert len(calls) < 3 * len(rows) * sum(len(values) for values in candidates(Targets().roles, 20.0).values())


@pytest.mark.parametrize(("shift_at_first", "shift_then"), [(2, 0), (0, 2)], ids=["better", "worse"])
def test_images_are_looked_at_again_with_what_was_found(rows, monkeypatch, shift_at_first, shift_then):
    """The diameter is measured with the settings, and with it the scale at which images are seen."""

    def seen(model, image, diameter_px):
        at_first = model.card.postprocessing == Postprocessing()
        shifted = np.roll(image.labels, shift_at_first if at_first else shift_then, axis=0)
        probabilities = 0.45 * make_targets(shifted, Targets())
        return settings_scores.Predicted(probabilities, image.labels, 0.5 if at_first else 1.0)

    monkeypatch.setattr(few_images, "predict_image", seen)
    monkeypatch.setattr(few_images, "resized", lambda image, factor: image)
    found = tune_on_few(KnowingModel(rows, Targets(), 0.45), rows, None)
    assert not found.kept
    assert found.left_out > 0.95


def test_objects_that_are_missed_or_invented_lower_the_quality_by_their_count():
    truth = np.kron([[1, 2, 3, 4]], np.ones((4, 4), int))
    fewer, same = (pool_scores([score_image(truth, each)]) for each in (np.where(truth == 4, 0, truth), truth))
    assert quality(same) == same.mean_f1 == 1
    assert quality(fewer) == pytest.approx(fewer.mean_f1 - 0.25 / 4)


def test_an_image_is_cut_into_all_its_pixels(rows):
    image = read_labeled_image(rows[0])
    parts = quarters(image)
    assert len({part.labels.tobytes() for part in parts}) == 4
    assert sum(part.labels.size for part in parts) == image.labels.size
    assert sum((part.labels > 0).sum() for part in parts) == (image.labels > 0).sum()
    assert all(part.image.shape[:2] == part.labels.shape for part in parts)


def test_one_image_is_enough(rows, monkeypatch):
    seen = []

    def noted(model, image, diameter_px):
        seen.append(image)
        return settings_scores.Predicted(np.zeros((3, *image.labels.shape), np.float32), image.labels, 1.0)

    monkeypatch.setattr(few_images, "predict_image", noted)
    found = tune_on_few(KnowingModel(rows, Targets(), 1.0), rows[:1], 1.0)
    assert len(seen) == 4
    assert found.images == 1
    assert found.kept  # a network that finds nothing has no better thresholds


def test_a_threshold_at_the_edge_of_what_was_tried_is_told_of():
    tried = candidates(Targets().roles, 20.0)
    assert at_the_edge(Postprocessing(0.5, 0.4), tried) == []
    (sentence,) = at_the_edge(Postprocessing(0.3, 0.4), tried)
    assert sentence.startswith("foreground_threshold 0.3 is the lowest that is tried")
    (sentence,) = at_the_edge(Postprocessing(0.5, 0.6), tried)
    assert sentence.startswith("marker_threshold 0.6 is the highest")
