import os
import sys
import time

import pytest

from cpunet import free_cores as module
from cpunet.free_cores import CoreTimes, core_times, free_cores, threads_for

STAT = """cpu  100 0 100 9999 99 0 0 0 0 0
cpu0 50 0 50 {idle0} {disk0} 0 0 0 0 0
cpu1 50 0 50 {idle1} 0 0 0 0 0 0
intr 1 2 3
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_only_the_cores_of_this_process_count(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1})
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    (tmp_path / "stat").write_text(STAT.format(idle0=500, disk0=0, idle1=200))
    assert core_times(tmp_path).idle == 2.0
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    (tmp_path / "stat").write_text(STAT.format(idle0=500, disk0=50, idle1=200))
    assert core_times(tmp_path).idle == 7.5


def test_a_system_that_does_not_tell_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert core_times(tmp_path) is None
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert core_times(tmp_path) is None


def test_the_times_go_on(monkeypatch):
    first = core_times()
    if first is None:
        pytest.skip("this system does not tell")
    time.sleep(0.02)
    second = core_times()
    assert second.now > first.now
    assert second.idle >= first.idle
    assert second.own >= first.own


def test_what_this_process_used_itself_is_free_for_it():
    assert free_cores(CoreTimes(0.0, 10.0, 1.0), CoreTimes(2.0, 11.0, 4.0)) == 2.0


@pytest.mark.parametrize(
    ("allowed", "cores", "free", "threads"),
    [
        (2, 2, 2.0, 0),
        (2, 2, 1.8, 0),
        (2, 2, 1.33, 1),  # two threads beside one of another program, all with an equal share
        (2, 2, 1.0, 1),  # two processes of two threads
        (2, 2, 0.3, 1),
        (8, 4, 8.0, 0),
        (8, 4, 6.5, 4),  # eight threads of four cores
        (8, 4, 3.2, 3),
        (8, 0, 6.8, 7),
        (4, 4, 1.0, 1),  # four processes of four threads
    ],
)
def test_a_thread_for_each_free_core(monkeypatch, allowed, cores, free, threads):
    monkeypatch.setattr(module, "cores_allowed", lambda: allowed)
    monkeypatch.setattr(module, "threads_within_limits", lambda: 0)
    monkeypatch.setattr(module, "_cores_of_computer", lambda: cores)
    assert threads_for(free) == threads


def test_the_threads_of_one_core_count_once(tmp_path):
    lines = [f"processor : {n}\nphysical id : {n % 2}\ncore id : {n // 4}\n" for n in range(8)]
    (tmp_path / "cpuinfo").write_text("\n".join(lines))
    assert module._cores_of_computer(tmp_path) == 4
    assert module._cores_of_computer(tmp_path / "none") == 0
