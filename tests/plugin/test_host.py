"""What the module shares with CellProfiler: image sets that are done are freed; cores, memory and models folder."""

import gc
import os
import weakref

import cellprofiler_core.preferences
import identifyobjectsunet
import pytest

from cpunet.plugin import host
from cpunet.plugin.host import (
    SHARE_OF_TIME,
    free_earlier_image_sets,
    gpu_memory_for_this_process,
    threads_for_this_process,
)
from cpunet.plugin.model_settings import model_choices
from tests.tiny_onnx import tiny_onnx

WHOLE_SECONDS, YOUNG_SECONDS = 0.05, 0.001


class PretendedCollector:
    """Takes the time that Python's own takes, by a clock that only it and the test move."""

    def __init__(self):
        self.now, self.whole, self.young, self.set_aside = 100.0, 0, 0, False

    def clock(self):
        return self.now

    def collect(self):
        if self.set_aside:
            self.young += 1
        else:
            self.whole += 1
        self.now += YOUNG_SECONDS if self.set_aside else WHOLE_SECONDS

    def freeze(self):
        self.set_aside = True

    def unfreeze(self):
        self.set_aside = False


@pytest.fixture(autouse=True)
def never_freed_before(monkeypatch):
    monkeypatch.setattr(host, "_not_before", float("-inf"))
    yield
    gc.unfreeze()


@pytest.fixture
def pretended(monkeypatch):
    collector = PretendedCollector()
    monkeypatch.setattr(host, "gc", collector)
    return collector


@pytest.mark.parametrize("headless", [True, False])
@pytest.mark.parametrize("image_set_seconds", [0.01, 0.13, 1.0, 5.0])
def test_it_goes_through_everything_for_its_share_of_the_time(pretended, monkeypatch, image_set_seconds, headless):
    monkeypatch.setattr(host, "get_headless", lambda: headless)
    begun = pretended.now
    for _ in range(1000):
        free_earlier_image_sets(pretended.clock)
        pretended.now += image_set_seconds
    taken = pretended.now - begun
    assert WHOLE_SECONDS * (pretended.whole - 1) <= SHARE_OF_TIME * taken
    assert pretended.whole >= min(
        1000, int(taken / (WHOLE_SECONDS / SHARE_OF_TIME + image_set_seconds + WHOLE_SECONDS))
    )
    # without a window, the image sets between are freed as well
    assert pretended.young == (1000 - pretended.whole if headless else 0)


@pytest.mark.parametrize("headless", [True, False])
def test_only_without_a_window_anything_is_set_aside(monkeypatch, headless):
    monkeypatch.setattr(host, "get_headless", lambda: headless)
    free_earlier_image_sets()
    assert (gc.get_freeze_count() > 0) is headless


@pytest.mark.parametrize("between", [0, 1, 5])
def test_an_image_set_is_gone_when_the_next_has_run(module, run, field, between):
    gc.disable()
    try:
        run(module, field[0])  # goes through everything, and sets aside
        for _ in range(between):
            run(module, field[0])
        workspace = weakref.ref(run(module, field[0]).workspace)
        assert workspace() is not None
        run(module, field[0])
        assert workspace() is None
    finally:
        gc.enable()


def test_an_image_set_that_was_set_aside_is_gone_at_the_next_time(module, run, field, monkeypatch):
    gc.disable()
    try:
        workspace = weakref.ref(run(module, field[0]).workspace)
        assert workspace() is not None
        monkeypatch.setattr(host, "_not_before", float("-inf"))
        run(module, field[0])
        assert workspace() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(("workers", "threads"), [(1, 8), (3, 2), (8, 1), (20, 1)])
def test_workers_of_an_analysis_share_the_cores(monkeypatch, workers, threads):
    monkeypatch.setattr(host, "cores_allowed", lambda: 8)
    assert threads_for_this_process() == 0
    monkeypatch.setattr("sys.argv", ["worker", "--work-announce=tcp://127.0.0.1:1"])
    cellprofiler_core.preferences.set_preferences_from_dict({cellprofiler_core.preferences.MAX_WORKERS: workers})
    assert threads_for_this_process() == threads


def test_workers_share_the_memory_of_a_gpu_unless_the_user_gives_it(monkeypatch, advanced):
    monkeypatch.setattr("cpunet.plugin.host.total_gpu_memory_bytes", lambda: 10_000_000_000)
    assert gpu_memory_for_this_process(advanced.advanced_settings.gpu_memory_bytes()) is None
    monkeypatch.setattr("sys.argv", ["worker", "--work-announce=tcp://127.0.0.1:1"])
    cellprofiler_core.preferences.set_preferences_from_dict({cellprofiler_core.preferences.MAX_WORKERS: 4})
    assert gpu_memory_for_this_process(advanced.advanced_settings.gpu_memory_bytes()) == 2_000_000_000
    advanced.advanced_settings.memory_automatic.value = False
    advanced.advanced_settings.memory_gb.value = 1.5
    assert gpu_memory_for_this_process(advanced.advanced_settings.gpu_memory_bytes()) == 1_500_000_000


def test_headless_processes_share_the_memory_of_a_gpu_as_the_environment_says(monkeypatch):
    monkeypatch.setattr("cpunet.plugin.host.total_gpu_memory_bytes", lambda: 10_000_000_000)
    monkeypatch.setenv("CPUNET_PROCESSES_PER_GPU", "4")
    assert gpu_memory_for_this_process(None) == 2_000_000_000
    assert gpu_memory_for_this_process(1_000) == 1_000


def test_the_preferred_folder_of_models_is_listed_and_remembered(monkeypatch, tmp_path, module):
    (tmp_path / "mine.onnx").write_bytes(tiny_onnx())
    monkeypatch.delenv("CPUNET_MODELS", raising=False)
    monkeypatch.setattr("cpunet.plugin.host._last_used", [""])
    kept = {}
    monkeypatch.setattr("cpunet.plugin.host.config_read", kept.get)
    monkeypatch.setattr("cpunet.plugin.host.config_write", kept.__setitem__)
    monkeypatch.setattr("cpunet.plugin.model_settings.ask_for_folder", lambda question, start: str(tmp_path))
    assert "mine" not in module.model_name.choices
    module.model_settings.folder_button.on_event_fired()
    assert "mine" in model_choices()
    monkeypatch.delenv("CPUNET_MODELS")
    assert "mine" in identifyobjectsunet.IdentifyObjectsUNet().model_name.choices


def test_a_folder_of_the_environment_counts_more_than_the_preference(monkeypatch, tmp_path):
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "of the environment"))
    monkeypatch.setattr("cpunet.plugin.host.config_read", lambda key: str(tmp_path))
    identifyobjectsunet.IdentifyObjectsUNet()
    assert os.environ["CPUNET_MODELS"] == str(tmp_path / "of the environment")
