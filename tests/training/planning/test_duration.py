from dataclasses import replace

import pytest

from cpunet.training.planning import duration
from cpunet.training.planning.duration import Duration, measure_duration


def test_a_run_takes_its_steps_and_its_validations():
    found = Duration(500, 20, 1.0, 5.0)
    assert found.seconds == 600
    assert str(found).startswith(
        "about 10 minutes on this machine as busy as it is now: 500 steps of 1 s, and 20 valid"
    )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_run_is_measured_on_a_few_steps(data_root, small_config, monkeypatch, precision):
    monkeypatch.setattr(duration, "MEASURED_SECONDS", 0.05)
    config = replace(small_config, steps=100, validate_every=20, precision=precision)
    found = measure_duration(config, data_root)
    assert (found.steps, found.validations) == (100, 5)
    assert 0 < found.step_s < 10
    assert 0 < found.validation_s < 60


def test_the_model_to_start_from_is_scored_too(data_root, small_config, monkeypatch):
    monkeypatch.setattr(duration, "MEASURED_SECONDS", 0.01)
    config = replace(small_config, start_from="a model", frozen="encoder", steps=20)
    assert measure_duration(config, data_root).validations == 2
