from types import SimpleNamespace

import numpy as np
import pytest

from cpunet.errors import OptionError
from cpunet.model.card import card_from_content
from cpunet.options import Options
from cpunet.steps.diameter import typical_diameter
from cpunet.volumes import scale
from cpunet.volumes.prepare import prepare_volume
from cpunet.volumes.scale import choose_scale_of_volume
from tests.tiny_volumes import VOLUME_CARD, balls

CENTERS = ((5, 20, 20), (8, 50, 60), (9, 16, 83), (8, 70, 20))


def chosen(volume, model, options=None):
    channels, usable, _ = prepare_volume(volume, model.card.input)
    return choose_scale_of_volume(channels, usable, model, options or Options())


def test_a_volume_whose_objects_lie_in_the_trained_range_is_not_rescaled(volume_model):
    for diameter_px in (12, 20, 32):
        volume, truth = balls((16, 90, 100), CENTERS, diameter_px)
        found, seen, notes = chosen(volume, volume_model)
        assert (found, notes) == (1.0, ())
        assert typical_diameter(truth, 2.0) == pytest.approx(diameter_px, rel=0.05)
        assert seen.labels.max() == 4


def test_objects_of_another_size_are_brought_to_the_trained_one(volume_model):
    volume, truth = balls((16, 180, 200), ((5, 40, 40), (8, 100, 120), (7, 140, 40)), 56, z_step_px=5.6)
    found, seen, _ = chosen(volume, volume_model, Options(z_step_px=5.6))
    assert found == pytest.approx(20 / 56, rel=0.05)
    assert seen.scale == found
    assert seen.labels.max() == truth.max()
    assert seen.labels.shape == volume.shape


def test_a_given_diameter_or_scale_counts(volume_model):
    volume, _ = balls((16, 90, 100), CENTERS, 20)
    assert chosen(volume, volume_model, Options(diameter_px=80)) == (0.25, None, ())
    assert chosen(volume, volume_model, Options(diameter_px=30)) == (1.0, None, ())
    assert chosen(volume, volume_model, Options(scale=0.5)) == (0.5, None, ())
    with pytest.raises(OptionError, match="typical diameter is 9000 pixels"):
        chosen(volume, volume_model, Options(diameter_px=9000))


def test_an_empty_volume_is_not_rescaled_and_says_so(volume_model):
    noise = np.random.default_rng(0).normal(0, 1, (8, 40, 40)).astype(np.float32) * 0.01
    model = SimpleNamespace(card=volume_model.card, predict=np.zeros_like)
    found, _, notes = chosen(noise, model)
    assert found == 1.0
    assert "No object was found" in notes[0]


def test_a_large_volume_is_measured_in_a_window_with_objects(volume_model, monkeypatch):
    monkeypatch.setattr(scale, "WINDOW", (16, 60, 60))
    volume, _ = balls((16, 300, 310), ((8, 240, 250), (8, 270, 290)), 50, z_step_px=6)
    seen = []

    def predict(batch):
        seen.append(batch.size)
        return volume_model.predict(batch)

    model = SimpleNamespace(card=volume_model.card, predict=predict)
    found, whole, _ = chosen(volume, model, Options(z_step_px=6))
    assert found < 0.7
    assert whole is None
    assert max(seen) < volume.size / 3


def test_a_large_volume_with_nothing_in_its_windows_is_seen_as_a_whole(monkeypatch):
    monkeypatch.setattr(scale, "WINDOW", (8, 20, 20))
    monkeypatch.setattr(scale, "MOST_WINDOWS", 1)
    volume = np.random.default_rng(0).random((8, 100, 100)).astype(np.float32) * 0.1
    volume[2:6, 70:86, 70:86] = 1
    model = SimpleNamespace(card=card_from_content(VOLUME_CARD), predict=lambda batch: (batch > 0.9).astype(np.float32))
    monkeypatch.setattr(scale, "by_contrast", lambda boxes, contrasts: boxes)  # the corner without objects first
    found, whole, _ = chosen(volume, model)
    assert found == 1.0
    assert whole.labels.max() == 1


def test_views_are_not_spared_by_the_measurement(volume_model):
    volume, _ = balls((16, 90, 100), CENTERS, 20)
    assert chosen(volume, volume_model, Options(augmentation="flips"))[1] is None
