"""The study of widths: its rows, both decodings, the scores, the table and the pictures."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from skimage.io import imread

from benchmarks.boundary_width import __main__ as study
from benchmarks.boundary_width import truth
from benchmarks.boundary_width.largest import objects_by_largest
from benchmarks.boundary_width.picture import draw_fields
from benchmarks.boundary_width.rows import BY_CONTRAST, BY_LARGEST, objects_of_background, scored, tuned, write_settings
from benchmarks.boundary_width.table import table
from cpunet.model.card import Postprocessing
from cpunet.model.session import load_model
from cpunet.training.config import read_config
from cpunet.training.data.labeled_images import read_index
from cpunet.training.patches.augmentation import Augmentation
from tests.parted_fields import edges_onnx, rims, row_of_ten
from tests.synthetic_data_set import write_data_set

CONFIGS = sorted(study.HERE.glob("*.yaml"))


def test_each_width_is_trained_with_and_without_augmentation_and_nothing_else_differs():
    configs = [read_config(path) for path in CONFIGS]
    assert [path.stem for path in CONFIGS] == [config.name for config in configs]
    found = {(config.targets.boundary_width_px, config.augmentation == Augmentation()) for config in configs}
    assert found == {(width, augmented) for width in (2, 4, 6, 8) for augmented in (True, False)}
    assert {(config.optimizer, config.learning_rate, config.schedule) for config in configs} == {
        ("rmsprop", 1e-4, "constant")
    }
    first = configs[0]
    for config in configs:
        same = {"name": "", "description": "", "targets": first.targets, "augmentation": first.augmentation}
        assert replace(config, **same) == replace(first, **same)
        if config.augmentation != Augmentation():
            assert config.augmentation.scale_low == config.augmentation.scale_high == 1
            assert config.augmentation.brightness_low == config.augmentation.gamma_high == 1
            assert config.augmentation.noise == config.augmentation.blur_px == config.augmentation.elastic_px == 0


def test_the_largest_region_leaves_an_eleventh_object_of_ten_in_a_row():
    labels = row_of_ten()
    found = objects_by_largest(rims(labels).astype(np.float32), Postprocessing(dilation_px=1, fill_holes=True))
    assert found.max() == 11
    assert objects_of_background(labels, found) == 1
    assert np.bincount(found.ravel())[1:].max() > 10_000


@pytest.fixture
def drawn(tmp_path):
    folder = tmp_path / "drawn"
    write_data_set(folder, ["val"] * 3)
    return read_index(folder)


def test_a_model_is_tuned_and_scored_in_both_ways(tmp_path, drawn):
    file = tmp_path / "model.onnx"
    file.write_bytes(edges_onnx(gain=60.0))
    settings = tuned(load_model(file), [drawn])
    assert set(settings) == {BY_CONTRAST, BY_LARGEST}
    model = write_settings(file, settings[BY_CONTRAST])
    assert model.card.postprocessing == settings[BY_CONTRAST]
    found = scored(model, settings, {"drawn": drawn})["drawn"]
    assert found[BY_CONTRAST]["mean_f1"] >= found[BY_LARGEST]["mean_f1"] > 0.3
    assert found[BY_CONTRAST]["true_objects"] == 27 + 9


def test_a_finished_row_is_only_printed(tmp_path, capsys, monkeypatch):
    scores = {"mean_f1": 0.5, "f1_at_0.7": 0.6, "over_segmented": 1, "under_segmented": 2, "background_as_objects": 3}
    worse = {**scores, "mean_f1": 0.25, "background_as_objects": 30}
    sets = {name: {BY_CONTRAST: scores, BY_LARGEST: worse} for name in study.SETS}
    for name in study.SETS:
        write_data_set(tmp_path / "data" / name, ["train"] * 12 + ["val"] * 2)
    made = tmp_path / "made"
    calls = []

    def row_of(config, *rest):
        calls.append(config.stem)
        return {"cpu_minutes": 7.0, "decoding": {}, "scores": sets}

    monkeypatch.setattr(study, "row_of", row_of)
    monkeypatch.setattr(study, "draw_fields", lambda models, found, scored, path: calls.append(path.name))
    arguments = ["--data", str(tmp_path / "data"), "--folder", str(made)]
    for _ in range(2):
        assert study.main([str(CONFIGS[0]), *arguments]) == 0
    assert calls.count(CONFIGS[0].stem) == 1
    assert len(read_index(made / "data" / "bbbc039")) == 6
    kept = json.loads((made / "results" / f"{CONFIGS[0].stem}.json").read_text())
    printed = capsys.readouterr().out
    assert printed == 2 * (table({CONFIGS[0].stem: kept}) + "\n")
    assert "0.500 (0.250)" in printed
    assert "3 (30)" in printed


def test_true_boundaries_lose_nothing(drawn):
    new, old = truth.counted(drawn, 2)
    assert new == (0, 0)
    assert old.lost == 0
    assert truth.objects_lost(np.array([[1, 1, 2, 2]]), np.array([[0, 1, 0, 0]])) == 1


def test_both_decodings_are_drawn_for_each_model(tmp_path, drawn):
    file = tmp_path / "model.onnx"
    file.write_bytes(edges_onnx())
    settings = asdict(load_model(file).card.postprocessing)
    found = {name: {"decoding": dict.fromkeys((BY_CONTRAST, BY_LARGEST), settings)} for name in ("one", "two")}
    draw_fields(dict.fromkeys(found, file), found, {"drawn": drawn}, tmp_path / "fields.png")
    height, width, _ = imread(tmp_path / "fields.png").shape
    assert height > width > 500
