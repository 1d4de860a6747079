import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from cpunet.__main__ import main
from cpunet.checks.halo import measure_halo
from cpunet.errors import DataError, ExportError
from cpunet.export.batch_norm import fold_batch_norm
from cpunet.export.export_model import export_model
from cpunet.export.to_onnx import predict_with, trace
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, sha256
from cpunet.scores import pool_scores
from cpunet.steps.tiling import predict_tiled
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.evaluation.torch_model import score_images
from cpunet.training.network.unet import Probabilities
from cpunet.training.tuning.few_images import TunedOnFew
from cpunet.training.weights import build_network, load_trained, save_trained

EXPORT = """
import sys
from dataclasses import replace
from pathlib import Path
from cpunet.__main__ import main
sys.exit(main(["export", sys.argv[1], "-o", sys.argv[2], "--command", "make it && make it again"]))
"""


def test_another_process_with_more_threads_writes_the_same_bytes(exported, weights, tmp_path):
    path = tmp_path / "model.onnx"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads() + 1), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", EXPORT, str(weights), str(path)], check=True, env=environment)
    for name in ("model.onnx", "weights.safetensors"):
        assert sha256(path.with_name(name)) == sha256(exported.with_name(name))


def test_an_export_that_computes_something_else_is_not_written(trained, weights, tmp_path, monkeypatch):
    other = Probabilities(build_network(trained.config), "sigmoid").eval()
    monkeypatch.setattr("cpunet.export.export_model.trace", lambda _, given: trace(fold_batch_norm(other), given))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the model before")
    with pytest.raises(ExportError, match=r"disagree at \d+ elements a million"):
        export_model(weights, path)
    assert path.read_bytes() == b"the model before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_the_halo_covers_what_an_impulse_reaches(network, exported):
    halo = read_card(exported).output.halo
    # two halvings, eight 3x3 convolutions: no pixel further than 21 away has any influence
    assert 4 <= halo <= 24
    assert halo == measure_halo(predict_with(network), 1, 4, seed=1)
    model = load_model(exported)
    image = np.random.default_rng(0).random((1, 96, 96)).astype(np.float32)
    whole = predict_tiled(image, model.predict, 3, (96, 96), halo, 4, 4)
    tiled = predict_tiled(image, model.predict, 3, (64, 64), halo, 4, 4)
    np.testing.assert_allclose(tiled, whole, atol=2e-3)


def test_model_weights_and_readme_are_written(weights, exported):
    names = {"model.onnx", "weights.safetensors", "README.md"}
    assert {path.name for path in exported.parent.iterdir()} == names
    beside = load_trained(exported.with_name("weights.safetensors"))
    assert beside.config == load_trained(weights).config


def test_tuning_and_scores_go_into_the_card_and_are_verified(data_root, drawn_model, capsys, monkeypatch):
    path, card = drawn_model, read_card(drawn_model)
    assert 0.5 < card.scores["drawn"]["mean_f1"] <= 1
    rows = rows_of_split([DataSource("drawn")], data_root, "val")[0]
    again = pool_scores(score_images(load_model(path), rows))
    assert again.mean_f1 == pytest.approx(card.scores["drawn"]["mean_f1"], abs=1e-4)
    assert main(["verify", str(path), "--data", str(data_root)]) == 0
    assert (
        f"drawn val mean F1 {again.mean_f1:.4f} (card {card.scores['drawn']['mean_f1']:.4f})" in capsys.readouterr().out
    )
    monkeypatch.setattr("cpunet.export.torch_checks.SCORE_TOLERANCE", -0.001)  # asks for more than the card promises
    assert main(["verify", str(path), "--data", str(data_root)]) == 1
    assert f"and its card promises {card.scores['drawn']['mean_f1']:.4f}" in capsys.readouterr().out


def test_a_failure_while_scoring_leaves_the_model_before(data_root, weights_of_drawn, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the model before")

    def broken(*_):
        raise DataError("f7: the image cannot be read")

    monkeypatch.setattr("cpunet.export.set_scores.score_images", broken)
    assert main(["export", str(weights_of_drawn), "-o", str(path), "--data", str(data_root)]) == 2
    assert path.read_bytes() == b"the model before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_the_command_says_what_is_wrong(weights, tmp_path, capsys):
    assert main(["export", str(tmp_path / "absent.ckpt"), "-o", str(tmp_path / "m.onnx")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["export", str(weights), "-o", str(tmp_path / "model.pt")]) == 2
    assert "must end in .onnx" in capsys.readouterr().err
    assert main(["export", str(weights), "-o", str(tmp_path / "m.onnx"), "--data", str(tmp_path)]) == 2
    assert "index.csv" in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


def test_thresholds_are_tuned_on_a_sample_that_is_said(data_root, weights_of_drawn, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cpunet.export.export_model.MOST_TUNED_ON", 2)
    monkeypatch.setattr("cpunet.export.export_model.FEW_VALIDATION_IMAGES", 2)
    asked = []

    def tuned(model, sets, diameters):
        asked.extend([row.id for row in rows] for rows in sets)
        return model.card.postprocessing

    monkeypatch.setattr("cpunet.export.export_model.tune_postprocessing", tuned)
    words = ["export", str(weights_of_drawn), "-o", str(tmp_path / "model.onnx")]
    assert main([*words, "--data", str(data_root / "drawn")]) == 0
    assert asked == [["f6", "f8"]]
    assert "on 2 of 3 validation images (at most 2 of each set, evenly over its index)" in capsys.readouterr().out


def test_few_validation_images_tune_together_with_training_images(
    data_root, weights_of_drawn, tmp_path, monkeypatch, capsys
):
    asked = []

    def found(model, rows, diameter_px):
        asked.extend(row.split for row in rows)
        chosen = replace(model.card.postprocessing, marker_threshold=0.25)
        return TunedOnFew(chosen, False, len(rows), 0.5, 0.4)

    monkeypatch.setattr("cpunet.export.export_model.tune_on_few", found)
    path = tmp_path / "model.onnx"
    assert main(["export", str(weights_of_drawn), "-o", str(path), "--data", str(data_root / "drawn")]) == 0
    assert asked[:3] == ["val"] * 3
    assert set(asked[3:]) == {"train"}
    said = capsys.readouterr().out
    assert "scored on parts left out: mean F1 0.500 instead of 0.400" in said
    assert "look: marker_threshold 0.25 is the lowest that is tried" in said
    assert read_card(path).postprocessing.marker_threshold == 0.25


def test_a_blank_license_is_pointed_out_with_the_way_out(trained, tmp_path, capsys):
    blank = tmp_path / "blank.safetensors"
    save_trained(blank, replace(trained, config=replace(trained.config, licence="")))
    path = tmp_path / "model" / "model.onnx"
    assert main(["export", str(blank), "-o", str(path)]) == 0
    assert "cpunet card edit FILE.onnx --set licence=CC-BY-4.0" in capsys.readouterr().err
    assert "License of the weights:** not given" in path.with_name("README.md").read_text()
    assert main(["card", "edit", str(path), "--set", "licence=CC-BY-4.0"]) == 0
    assert read_card(path).licence == "CC-BY-4.0"


def test_what_was_fine_tuned_and_its_score_stand_in_the_card(trained, tmp_path):
    started = {"name": "shipped", "sha256": "0" * 64, "val_mean_f1": 0.3333}
    weights = tmp_path / "tuned.safetensors"
    save_trained(weights, replace(trained, facts={**trained.facts, "start_from": started}))
    path = tmp_path / "model" / "model.onnx"
    export_model(weights, path)
    assert read_card(path).provenance["start_from"] == started
    assert "its mean F1 on the validation images was 0.333" in path.with_name("README.md").read_text()
    assert main(["verify", str(path.parent)]) == 0


def test_verify_says_which_set_is_missing(drawn_model, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    assert main(["verify", str(drawn_model), "--data", str(tmp_path)]) == 1
    assert "the data set drawn is not there" in capsys.readouterr().out
