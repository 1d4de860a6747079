import pytest

from cpunet.free_cores import CoreTimes
from cpunet.model import session_threads
from cpunet.model.session_threads import SessionThreads, threads_at_opening


@pytest.fixture
def clock(monkeypatch):
    """Sets what the next look finds; on two cores."""
    times = []
    monkeypatch.setattr(session_threads, "core_times", lambda: times[-1])
    monkeypatch.setattr(session_threads.time, "monotonic", lambda: times[-1].now)
    monkeypatch.setattr(session_threads, "threads_for", lambda free: 0 if free > 1.5 else 1)
    monkeypatch.setattr(session_threads, "threads_within_limits", lambda: 0)
    return times


def test_a_busy_neighbor_takes_a_thread_and_gives_it_back(clock):
    threads = SessionThreads(0, CoreTimes(10.0, 5.0, 3.0))
    clock.append(CoreTimes(12.0, 5.0, 5.0))  # no core was idle for two seconds, and this process used one
    assert threads.change()
    assert threads.count == 1
    clock.append(CoreTimes(14.0, 5.1, 6.9))
    assert not threads.change()
    clock.append(CoreTimes(16.0, 7.1, 8.9))  # now one was idle
    assert threads.change()
    assert threads.count == 0


def test_nothing_is_looked_at_again_within_a_second(clock):
    before = CoreTimes(10.0, 5.0, 3.0)
    threads = SessionThreads(0, before)
    clock.append(CoreTimes(10.9, 5.0, 3.0))
    assert not threads.change()
    assert threads.looked == before


def test_within_a_second_the_system_is_not_asked(clock, monkeypatch):
    clock.append(CoreTimes(10.9, 5.0, 3.0))
    monkeypatch.setattr(session_threads, "core_times", lambda: pytest.fail("the system was asked"))
    assert not SessionThreads(0, CoreTimes(10.0, 5.0, 3.0)).change()


def test_where_the_system_does_not_tell_all_cores_are_used(clock, monkeypatch):
    clock.append(None)
    monkeypatch.setattr(session_threads, "_last_look", None)
    threads = threads_at_opening()
    assert (threads.count, threads.change(), threads.count) == (0, False, 0)


def test_the_first_session_begins_with_what_was_free_since_the_process_started(clock, monkeypatch):
    monkeypatch.setattr(session_threads, "_last_look", CoreTimes(10.0, 5.0, 0.0))
    clock.append(CoreTimes(13.0, 5.0, 1.5))
    assert threads_at_opening().count == 1
    clock.append(CoreTimes(15.0, 9.0, 1.6))
    assert threads_at_opening().count == 0
