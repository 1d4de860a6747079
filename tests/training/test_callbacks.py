import csv
import time

from cpunet.training.callbacks import WaitingTime
from cpunet.training.curves import curves_figure, read_metrics


def write_metrics(folder, version, rows):
    path = folder / "logs" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["epoch", "step", "loss", "val_mean_f1", "lr-AdamW"], restval="")
        writer.writeheader()
        writer.writerows(rows)


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


def test_the_tenth_start_comes_after_the_second(tmp_path):
    for version in (10, 2):
        write_metrics(tmp_path, version, [{"step": 5, "loss": version}])
    assert read_metrics(tmp_path) == {"loss": [(5, 10)]}


def test_curves_show_loss_rate_and_score():
    figure = curves_figure({"loss": [(0, 2), (9, 1)], "val_mean_f1": [(9, 0.4)], "lr-AdamW": [(0, 0.1), (9, 0.2)]})
    upper, lower, rate = figure.axes
    assert upper.lines[0].get_ydata().tolist() == [2, 1]
    assert lower.lines[0].get_ydata().tolist() == [0.4]
    assert rate.lines[0].get_ydata().tolist() == [0.1, 0.2]
