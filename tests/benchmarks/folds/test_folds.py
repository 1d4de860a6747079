"""The benchmark of folds, with a tiny network on drawn sets of the same names."""

import json
from types import SimpleNamespace

import pytest

from benchmarks.folds import __main__ as benchmark
from benchmarks.folds.rows import FOLDS, Row, rows
from cpunet.model.card import Postprocessing
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import config_from_dict, read_config
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.weights import load_trained, save_trained
from tests.random_network import random_network
from tests.synthetic_data_set import SMALL, write_data_set
from tests.tiny_onnx import tiny_onnx


@pytest.fixture
def root(tmp_path):
    for name in benchmark.NEVER_SEEN:
        write_data_set(tmp_path / "data" / name, ["train", "val"])
    return tmp_path / "data"


def test_all_networks_are_of_one_training_that_sees_neither_scored_set():
    config = read_config(benchmark.CONFIG)
    assert [source.folder for source in config.data] == ["dsb2018"]
    assert not {source.folder for source in config.data} & set(benchmark.NEVER_SEEN)
    assert [row.name for row in rows()][: FOLDS + 2] == ["one", *(f"fold_{n}" for n in range(1, FOLDS + 1)), "mean"]
    assert len({row.options for row in rows()}) == 4


def test_rows_are_measured_once_and_shown_with_their_cost(root, tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(benchmark, "make_models", lambda *words: made.append(words))
    chosen = [
        Row("one", "one network", "one", Options()),
        Row("mean", "the mean", "one", Options(augmentation="flips")),
    ]
    monkeypatch.setattr(benchmark, "rows", lambda: chosen)
    folder = tmp_path / "made"
    (folder / "models" / "one").mkdir(parents=True)
    (folder / "models" / "one" / "model.onnx").write_bytes(tiny_onnx())
    words = ["measure", "--data", str(root), "--folder", str(folder)]
    assert benchmark.main(words) == 0
    model = load_model(folder / "models" / "one" / "model.onnx")
    truths = [read_labeled_image(row) for row in read_index(root / "mnfinder")]
    expected = pool_scores([score_image(each.labels, segment_image(each.image, model).labels) for each in truths])
    result = folder / "scores" / "one.json"
    found = json.loads(result.read_text())
    assert found["scores"]["mnfinder"]["mean_f1"] == pytest.approx(expected.mean_f1, abs=1e-4)
    assert found["scores"]["aitslab"]["images"] == 2
    result.write_text(json.dumps({**found, "cpu_seconds_an_image": 0.5}))
    (folder / "scores" / "mean.json").write_text(json.dumps({**found, "cpu_seconds_an_image": 2.0}))
    capsys.readouterr()
    assert benchmark.main(words) == 0  # nothing is measured again
    score = f"{expected.mean_f1:.3f}"
    table = capsys.readouterr().out
    assert table.splitlines()[-1].startswith(f"| the mean | {score} |")
    assert table.splitlines()[-1].endswith("| 2.00 | 4.0 |")
    assert benchmark.main(["table", "--folder", str(folder)]) == 0
    assert capsys.readouterr().out == table


def test_all_models_get_the_settings_of_the_folds(root, tmp_path, monkeypatch):
    weights = []
    for name in ("one", *(f"fold_{n}" for n in range(1, FOLDS + 1))):
        weights.append(tmp_path / name / "weights.safetensors")
        weights[-1].parent.mkdir()
        save_trained(weights[-1], random_network())
    settings = Postprocessing(foreground_threshold=0.35)
    done = SimpleNamespace(weights=tuple(weights[1:]), found=SimpleNamespace(settings=settings))
    exported = []
    monkeypatch.setattr(benchmark, "train_folds", lambda *words: done)
    monkeypatch.setattr(benchmark, "train", lambda *words: weights[0])
    monkeypatch.setattr(benchmark, "export_average", lambda run, output: exported.append(output))
    monkeypatch.setattr(benchmark, "export_model", lambda weights, output: exported.append(output))
    before = [path.read_bytes() for path in weights]
    benchmark.make_models(config_from_dict(SMALL), root, tmp_path)
    assert [path.read_bytes() for path in weights] == before
    assert [output.parent.name for output in exported] == ["mean", "one", *(f"fold_{n}" for n in range(1, FOLDS + 1))]
    for output in exported[1:]:
        assert load_trained(output.with_name("weights.safetensors")).config.decoding == settings
