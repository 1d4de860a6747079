import csv

from cpunet.training.curves import draw_curves, read_metrics


def write_metrics(folder, version, rows):
    path = folder / "logs" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["epoch", "step", "loss", "val_mean_f1", "lr-AdamW"], restval="")
        writer.writeheader()
        writer.writerows(rows)


def test_the_metrics_of_all_starts_become_one_curve(tmp_path):
    write_metrics(tmp_path, 0, [{"step": 0, "loss": 2}, {"step": 10, "loss": 1}, {"step": 10, "val_mean_f1": 0.5}])
    write_metrics(tmp_path, 1, [{"step": 10, "loss": 0.9}, {"step": 20, "loss": 0.5}])
    metrics = read_metrics(tmp_path)
    assert metrics == {"loss": [(0, 2), (10, 0.9), (20, 0.5)], "val_mean_f1": [(10, 0.5)]}


def test_a_picture_is_written_once_there_is_something_to_draw(tmp_path):
    assert draw_curves(tmp_path) is None
    write_metrics(tmp_path, 0, [{"step": 0, "loss": 2}, {"step": 9, "val_mean_f1": 0.5}])
    assert draw_curves(tmp_path).read_bytes().startswith(b"\x89PNG")
