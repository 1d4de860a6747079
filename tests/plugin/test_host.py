"""Image sets that are done are freed, and that takes little of the time."""

import gc
import weakref

import pytest

import cpunet.plugin.host as earlier_image_sets
from cpunet.plugin.host import SHARE_OF_TIME, free_earlier_image_sets

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
    monkeypatch.setattr(earlier_image_sets, "_not_before", float("-inf"))
    yield
    gc.unfreeze()


@pytest.fixture
def pretended(monkeypatch):
    collector = PretendedCollector()
    monkeypatch.setattr(earlier_image_sets, "gc", collector)
    return collector


@pytest.mark.parametrize("headless", [True, False])
@pytest.mark.parametrize("image_set_seconds", [0.01, 0.13, 1.0, 5.0])
def test_it_goes_through_everything_for_its_share_of_the_time(pretended, monkeypatch, image_set_seconds, headless):
    monkeypatch.setattr(earlier_image_sets, "get_headless", lambda: headless)
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
    monkeypatch.setattr(earlier_image_sets, "get_headless", lambda: headless)
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
        monkeypatch.setattr(earlier_image_sets, "_not_before", float("-inf"))
        run(module, field[0])
        assert workspace() is None
    finally:
        gc.enable()
