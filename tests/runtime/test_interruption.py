import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from cpunet import interruption
from cpunet.interruption import Interruption, held_back, interruptions, requested, stop_if_requested
from tests.places import REPOSITORY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends other signals")


def send_past_a_guard(number):
    try:
        os.kill(os.getpid(), number)
        time.sleep(5)
    except Exception:
        pytest.fail("a guard around a file caught it")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_raises_an_interruption_that_guards_let_pass(number, code):
    before = signal.getsignal(number)
    with interruptions():
        with pytest.raises(Interruption) as caught:
            send_past_a_guard(number)
        assert caught.value.exit_code == requested().exit_code == code
    assert requested() is None
    assert signal.getsignal(number) is before


class Slow:
    """What takes its time to be freed."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def free_and_go_on():
    slow = Slow()
    del slow
    time.sleep(5)
    pytest.fail("the interruption was lost")


def test_an_interruption_while_an_object_is_freed_comes_a_moment_later(capsys):
    begun = time.monotonic()
    with interruptions(), pytest.raises(Interruption):
        free_and_go_on()
    assert time.monotonic() - begun < 4
    assert capsys.readouterr().err == ""


def test_a_guard_can_ask_whether_a_library_has_swallowed_the_interruption():
    with interruptions():
        stop_if_requested()
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except Interruption:
            pass
        with pytest.raises(Interruption):
            stop_if_requested()
    stop_if_requested()


def test_a_second_key_press_within_the_same_second_is_the_same_request():
    raised = 0
    with interruptions():
        for _ in range(2):
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)
            except Interruption:
                raised += 1
    assert raised == 1


def test_who_asks_three_times_is_not_kept_waiting(monkeypatch):
    ended = []
    monkeypatch.setattr(interruption, "SAME_REQUEST_SECONDS", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    with interruptions():
        for _ in range(3):
            with pytest.raises(Interruption):
                send_past_a_guard(signal.SIGTERM)
    assert ended == [143]


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptions():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGHUP, before)


SLOW_COMMAND = """
import signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what nohup starts ignores it
sys.path.insert(0, {plugins!r})
from pathlib import Path
from types import SimpleNamespace
import cpunet.__main__ as program
from cpunet.files.written_beside import written_beside

def work(arguments):
    with written_beside(Path({folder!r}) / "result.txt") as beside:
        beside.write_text("half of it")
        print("begun", flush=True)
        try:
            time.sleep(60)
        except BaseException as error:
            {what_happens}

program.importlib = SimpleNamespace(import_module=lambda name: SimpleNamespace(add_arguments=lambda _: None, run=work))
sys.exit(program.main(["models"]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("what_happens", ["raise", "raise ImportError('of a library') from error", "sys.exit(1)"])
def test_a_command_ends_with_one_line_its_exit_code_and_no_leftovers(tmp_path, number, code, what_happens):
    text = SLOW_COMMAND.format(plugins=str(REPOSITORY / "plugins"), folder=str(tmp_path), what_happens=what_happens)
    process = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert said.count("\n") == 1
    assert said.startswith("cpunet models: stopped by ")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_is_held_back_until_the_code_can_bear_it():
    with interruptions(), pytest.raises(Interruption):  # noqa: PT012
        with held_back():
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.01)
            reached = True
        pytest.fail("it was not raised at the end")
    assert reached


def test_what_is_held_back_is_raised_where_the_code_asks():
    with interruptions(), held_back():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        with pytest.raises(Interruption):
            stop_if_requested()
        interruption._listening[-1]._numbers.clear()


def test_who_asks_three_times_is_not_held_back(monkeypatch):
    ended = []
    monkeypatch.setattr(interruption, "SAME_REQUEST_SECONDS", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    with interruptions(), contextlib.suppress(Interruption), held_back():
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
    assert ended == [143]


def test_nothing_is_held_back_where_nobody_asked():
    with held_back():
        pass
    with interruptions(), held_back():
        pass
