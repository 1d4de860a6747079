"""Image sets that are done are freed, and that takes little of the time."""

import gc
import weakref

import pytest

import cpunet.plugin.earlier_image_sets as earlier_image_sets
from cpunet.plugin.earlier_image_sets import SHARE_OF_TIME, free_earlier_image_sets


class Clock:
    """Tells the time that it is set to, in seconds."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def never_freed_before(monkeypatch):
    monkeypatch.setattr(earlier_image_sets, "_not_before", float("-inf"))


@pytest.mark.parametrize("image_set_seconds", [0.01, 0.13, 1.0, 5.0])
def test_it_takes_its_share_of_the_time_at_most(image_set_seconds):
    clock, collected = Clock(), []

    def collect():
        clock.now += 0.05
        collected.append(clock.now)

    begun = clock.now
    for _ in range(1000):
        free_earlier_image_sets(collect, clock)
        clock.now += image_set_seconds
    assert 0.05 * (len(collected) - 1) <= SHARE_OF_TIME * (clock.now - begun)
    between = [later - before for before, later in zip(collected, collected[1:])]
    assert max(between) < 0.05 / SHARE_OF_TIME + image_set_seconds + 0.05


def test_slow_image_sets_are_freed_one_by_one():
    clock = Clock()

    def collect():
        clock.now += 0.05

    for _ in range(20):
        assert free_earlier_image_sets(collect, clock)
        clock.now += 1.0


def test_it_frees_what_holds_itself():
    class HoldsItself:
        def __init__(self):
            self.itself = self

    thing = weakref.ref(HoldsItself())
    gc.disable()
    try:
        assert thing() is not None
        assert free_earlier_image_sets()
        assert thing() is None
    finally:
        gc.enable()


def test_an_image_set_is_gone_when_the_next_has_run(module, run, field):
    gc.disable()
    try:
        pixels = field[0].copy()
        workspace = weakref.ref(run(module, pixels).workspace)
        assert workspace() is not None
        earlier_image_sets._not_before = float("-inf")
        run(module, pixels)
        assert workspace() is None
    finally:
        gc.enable()
