import csv

from cpunet.training.curves import curves_figure, draw_curves, read_metrics


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


def test_curves_show_the_loss_of_the_validation_images_beside_that_of_training():
    figure = curves_figure({"loss": [(0, 2), (9, 1)], "val_loss": [(9, 3)]})
    upper = figure.axes[0]
    assert [line.get_ydata().tolist() for line in upper.lines] == [[2, 1], [3]]
    assert [text.get_text() for text in upper.get_legend().get_texts()] == ["loss", "loss of the validation images"]


def test_curves_show_what_training_has_to_beat():
    figure = curves_figure({"start_mean_f1": [(0, 0.333)], "val_mean_f1": [(9, 0.4)]})
    legend = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert "the model you start from: 0.333" in legend
