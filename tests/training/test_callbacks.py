import os
import signal
import time

import pytest

from cpunet import interruption
from cpunet.interruption import Interruption, held_back, interruptions
from cpunet.training.callbacks import StopsBetweenSteps, WaitingTime


def test_waiting_is_told_from_working(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    waiting = WaitingTime()
    waiting.on_train_epoch_start()
    for _ in range(3):
        now += 2
        waiting.on_train_batch_start()
        now += 6
        waiting.on_train_batch_end()
    now += 20  # a validation, which is neither
    waiting.on_train_epoch_start()
    waiting.on_train_batch_start()
    assert (waiting.waiting_s, waiting.working_s) == (6, 18)
    assert waiting.share == 0.25


def test_nothing_waited_for_is_no_share():
    assert WaitingTime().share == 0


def test_a_run_is_stopped_between_steps_and_not_within_one():
    with interruptions(), held_back():
        StopsBetweenSteps().on_train_batch_start()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interruption):
            StopsBetweenSteps().on_train_batch_end()
        with pytest.raises(Interruption):
            StopsBetweenSteps().on_train_batch_start()
        # Forgotten, or the end of the block would raise it once more.
        interruption._listening[-1]._numbers.clear()
