import time

from cpunet.training.callbacks import WaitingTime


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
