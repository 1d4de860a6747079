import csv

import numpy as np
import PIL.Image
import pytest

from benchmarks.stress import primary_grid
from benchmarks.stress.__main__ import default_models, main
from benchmarks.stress.primary_grid import THRESHOLDS, PrimarySetting, grid, images_to_try, module_with, tune
from benchmarks.stress.table import choose_images
from cpunet.scores import pool_scores, score_image
from tests.synthetic_data_set import write_data_set


def test_images_from_dense_to_sparse_are_chosen_and_none_that_was_trained_on(tmp_path):
    write_data_set(tmp_path / "set", ["val", "val", "val", "train"])
    with (tmp_path / "set" / "index.csv").open("a", newline="") as stream:
        csv.writer(stream).writerow(["f1", "fluorescence", "train", ""])
    assert [image.id for image in choose_images(tmp_path / "set", 8)] == ["f0", "f2"]
    assert [image.id for image in choose_images(tmp_path / "set", 1)] == ["f0"]


def test_the_models_shown_are_those_of_nuclei_the_default_one_first():
    models = default_models()
    assert models[0] == "nuclei_fluorescence"
    assert "nuclei_generalist" in models
    assert "phase_cells" not in models


def test_the_table_its_csv_file_and_pictures(tmp_path, tiny_model, capsys):
    write_data_set(tmp_path / "set", ["val"] * 2)
    rows = ["x 1", "bright debris", "low light, 6 electrons"]
    outputs = ["--csv", str(tmp_path / "scores.csv"), "--pictures", str(tmp_path / "pictures")]
    arguments = ["--data", str(tmp_path / "set"), "--models", str(tiny_model), "--rows", *rows, "--jobs", "1", *outputs]
    assert main([*arguments, "--without-primary"]) == 0
    printed = capsys.readouterr().out
    assert "tiny 1.0.0, sha256" in printed
    assert [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("| ")][1:] == rows
    assert "IdentifyPrimaryObjects" not in printed
    with (tmp_path / "scores.csv").open(newline="") as stream:
        scores = {line["row"]: line for line in csv.DictReader(stream)}
    assert list(scores) == rows
    assert float(scores["x 1"]["mean_f1"]) > float(scores["bright debris"]["mean_f1"])
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {"x_1.png", "bright_debris.png", "low_light-6_electrons.png"}
    with PIL.Image.open(tmp_path / "pictures" / "x_1.png") as picture:
        assert picture.size == (3 * 96, 96)


def test_two_runs_print_the_same(tmp_path, tiny_model, capsys):
    write_data_set(tmp_path / "set", ["val"])
    arguments = ["--data", str(tmp_path / "set"), "--models", str(tiny_model), "--rows", "fibers", "--without-primary"]
    printed = []
    for _ in range(2):
        assert main([*arguments, "--jobs", "1"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_the_grid_has_30_settings_that_grow_with_the_nuclei():
    small, large = grid(10), grid(100)
    assert len(set(small)) == len(set(large)) == 30
    assert {(each.diameter_low_px, each.diameter_high_px) for each in large} == {(35, 140), (55, 290), (70, 200)}
    assert {(each.diameter_low_px, each.diameter_high_px) for each in small} == {(4, 14), (6, 29), (7, 20)}


@pytest.mark.parametrize(
    ("threshold", "scope", "operation", "classes", "middle"),
    [
        ("Minimum Cross-Entropy", "Global", "Minimum Cross-Entropy", None, None),
        ("Minimum Cross-Entropy, adaptive", "Adaptive", "Minimum Cross-Entropy", None, None),
        ("Otsu, adaptive", "Adaptive", "Otsu", "Two classes", None),
        ("Otsu, three classes, middle is foreground, adaptive", "Adaptive", "Otsu", "Three classes", "Foreground"),
        ("Otsu, three classes, middle is background", "Global", "Otsu", "Three classes", "Background"),
    ],
)
def test_a_setting_reaches_the_module(threshold, scope, operation, classes, middle):
    assert threshold in THRESHOLDS
    module = module_with(PrimarySetting(9, 40, threshold, "Shape"), 100)
    assert module.size_range.value == (9, 40)
    chosen = module.threshold
    assert chosen.threshold_scope.value == scope
    assert (chosen.local_operation if scope == "Adaptive" else chosen.global_operation).value == operation
    assert classes in (None, chosen.two_class_otsu.value)
    assert middle in (None, chosen.assign_middle_to_foreground.value)
    assert module.unclump_method.value == module.watershed_method.value == "Shape"
    assert chosen.adaptive_window_size.value == 100


def test_tuning_finds_the_setting_that_suits_the_images(monkeypatch, nuclei):
    """Stand-ins for all scores: of two settings that are equal on the images tried, the better one on all is found."""
    good, tempting = grid(28)[5], grid(28)[9]
    truths = [nuclei._replace(id=name) for name in ("a", "b", "c", "d")]
    right = score_image(nuclei.labels, nuclei.labels)
    wrong = score_image(nuclei.labels, np.zeros_like(nuclei.labels))
    found_in = {good: {"b", "c", "d"}, tempting: {"b", "d"}}

    def scored(setting, images):
        return pool_scores([right if image.id in found_in.get(setting, ()) else wrong for image in images])

    monkeypatch.setattr(primary_grid, "module_with", lambda setting, window_px: setting)
    monkeypatch.setattr(primary_grid, "score_module", scored)
    monkeypatch.setattr(primary_grid, "PIXELS_TO_TRY", 2 * nuclei.image.size)
    assert [image.id for image in images_to_try(truths)] == ["b", "d"]
    chosen, scores = tune(truths, 28)
    assert chosen == good
    assert scores.recall == 0.75


def test_of_large_images_a_window_of_the_nuclei_is_tried(monkeypatch, nuclei):
    wide = nuclei._replace(image=np.pad(nuclei.image, 300), labels=np.pad(nuclei.labels, 300))
    monkeypatch.setattr(primary_grid, "WINDOW_TO_TRY", (300, 256))
    (tried,) = images_to_try([wide])
    assert tried.image.shape == tried.labels.shape == (300, 256)
    assert (tried.labels > 0).sum() > 0.9 * (nuclei.labels > 0).sum()


def test_a_tuned_module_beats_one_as_it_comes(nuclei):
    from benchmarks.run_module import primary_objects

    setting, tuned = tune([nuclei], 28)
    assert setting in grid(28)
    assert tuned.mean_f1 >= primary_grid.score_module(primary_objects(), [nuclei]).mean_f1
    assert tuned.mean_f1 > 0.5
