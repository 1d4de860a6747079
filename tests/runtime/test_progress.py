import sys

import pytest

from cpunet.progress import LINE_SECONDS, Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Terminal:
    """Stands for the error stream of a terminal."""

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.fixture
def clock():
    return Clock()


def test_the_time_left_is_that_of_all_steps_and_not_of_one(clock):
    progress = Progress("training: step", 500, clock=clock)
    assert progress.seconds_left(0) is None
    clock.now += 60
    assert progress.seconds_left(100) == 240
    assert progress.line(100, "loss 0.2") == "training: step 100 of 500, loss 0.2; about 4 minutes left"
    assert progress.line(500) == "training: step 500 of 500"


def test_steps_of_an_earlier_start_took_no_time(clock):
    progress = Progress("training: step", 500, done=400, clock=clock)
    assert progress.seconds_left(400) is None
    clock.now += 50
    assert progress.seconds_left(450) == 50


def test_a_log_file_gets_a_line_now_and_then(clock, capsys):
    progress = Progress("tuning: trial", 10, clock=clock)
    for done in range(1, 11):
        clock.now += LINE_SECONDS / 2
        progress.show(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "tuning: trial 2 of 10; about 2 minutes left"
    assert len(lines) == 4  # the last step needs none
    progress.end()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_is_removed(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = Progress("scoring: image", 4, clock=clock)
    progress.show(1, "a\nb")
    clock.now += 0.01
    progress.show(2)  # too soon to be seen
    clock.now += 1
    progress.show(2)
    assert terminal.text.count("\r\033[K") == 2
    assert "[#######-----------------------] scoring: image 1 of 4, a\\nb" in terminal.text
    assert "2 of 4; about 1 second left" in terminal.text
    progress.end()
    assert terminal.text.endswith("\r\033[K")
