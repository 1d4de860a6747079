import os

import pytest

from benchmarks.speed.bound import _bound_to, can_bind, cores_to_measure
from cpunet.cores import cores_allowed


@pytest.mark.skipif(not can_bind(), reason="only Linux binds processes to cores")
def test_a_child_would_have_only_some_of_the_cores():
    before = os.sched_getaffinity(0)
    with _bound_to(1):
        assert cores_allowed() == 1
    assert os.sched_getaffinity(0) == before
    with _bound_to(None):
        assert os.sched_getaffinity(0) == before


def test_only_numbers_of_cores_that_there_are_can_be_measured(monkeypatch):
    monkeypatch.setattr("benchmarks.speed.bound.cores_allowed", lambda: 4)
    monkeypatch.setattr("benchmarks.speed.bound.can_bind", lambda: True)
    assert cores_to_measure(None) == [1, 4]
    assert cores_to_measure([8, 2, 2, 0]) == [2]
    monkeypatch.setattr("benchmarks.speed.bound.can_bind", lambda: False)
    assert cores_to_measure([1, 2]) == [4]
