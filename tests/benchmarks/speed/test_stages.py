import sys
import time
from types import ModuleType

import numpy as np
import pytest

import cpunet.segment
from benchmarks.speed import stages
from benchmarks.speed.stages import OTHER, StageClock, timed_stages
from cpunet.checks.synthetic import synthetic_field
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import OnnxModel, load_model


@pytest.fixture
def clock_of_steps(monkeypatch):
    """A clock that stands still, and a function that moves it on."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_a_stage_is_charged_its_own_time_only(clock_of_steps):
    clock = StageClock()
    network = clock.timed("network", lambda: clock_of_steps(5))

    def choose_scale():
        clock_of_steps(1)
        network()
        clock_of_steps(2)
        network()

    clock.timed("scale", choose_scale)()
    taken = clock.take(whole=20.0)
    assert (taken["scale"], taken["network"], taken[OTHER]) == (3, 10, 7)
    assert sum(clock.take(0.0).values()) == 0


def test_a_stage_that_fails_is_charged_too(clock_of_steps):
    clock = StageClock()

    def fail():
        clock_of_steps(4)
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        clock.timed("declump", fail)()
    clock.timed("filters", lambda: clock_of_steps(1))()
    taken = clock.take(5.0)
    assert (taken["declump"], taken["filters"]) == (4, 1)


def test_stages_change_no_result_and_leave_nothing_behind():
    model = load_model(find_model(DEFAULT_MODEL), "cpu")
    image = synthetic_field((128, 160), columns=3, touching=True).image
    before = cpunet.segment.prepare, OnnxModel.predict
    expected = cpunet.segment.segment_image(image, model)
    with timed_stages() as clock:
        found = cpunet.segment.segment_image(image, model)
        taken = clock.take(0.0)
    np.testing.assert_array_equal(found.labels, expected.labels)
    used = {stage for stage, seconds in taken.items() if seconds > 0}
    assert used == {"normalize", "scale", "tiles", "network", "declump", "outlines"}
    assert (cpunet.segment.prepare, OnnxModel.predict) == before


def test_a_module_that_is_imported_meanwhile_keeps_no_timer(monkeypatch):
    late = ModuleType("cpunet.late")
    original = cpunet.segment.prepare
    with timed_stages():
        late.prepare = cpunet.segment.prepare
        monkeypatch.setitem(sys.modules, "cpunet.late", late)
        assert late.prepare is not original
    assert late.prepare is original


@pytest.mark.parametrize("name", ["gone", "OnnxModel.gone", "Gone.predict"])
def test_a_function_that_moved_is_named(monkeypatch, name):
    before = OnnxModel.predict
    monkeypatch.setitem(stages.STAGES, "outlines", (("cpunet.model.session", name),))
    with pytest.raises(LookupError, match=rf"cpunet.model.session.{name}, which does not exist"), timed_stages():
        pass
    assert OnnxModel.predict is before
