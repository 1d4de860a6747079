import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

from cpunet.__main__ import main
from cpunet.checks.halo import measure_halo
from cpunet.errors import DataError, ExportError
from cpunet.export.to_onnx import onnx_bytes, predict_with, write_onnx
from cpunet.export.training_card import card_from_training
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, sha256
from cpunet.scores import pool_scores
from cpunet.steps.tiling import predict_tiled
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.evaluation.torch_model import score_images
from cpunet.training.network.build import build_network
from cpunet.training.network.unet import Probabilities
from cpunet.training.weights import load_trained, save_trained


@pytest.fixture
def exported(trained, tmp_path):
    path = tmp_path / "models" / "small" / "model.onnx"
    write_onnx(path, Probabilities(trained.network, "sigmoid").eval(), card_from_training(trained, "make it"))
    return path


@pytest.mark.parametrize("shape", [(1, 1, 16, 16), (3, 1, 20, 44)])
def test_onnxruntime_computes_what_torch_computes(exported, trained, shape):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    with torch.inference_mode():
        expected = Probabilities(trained.network, "sigmoid")(torch.from_numpy(image)).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(load_model(exported).predict(image), expected, rtol=1e-3, atol=1e-4)


def test_the_file_is_one_self_contained_old_enough_onnx_file(exported):
    content = onnx.load(exported, load_external_data=False)
    assert content.ir_version <= 8
    assert [entry.version for entry in content.opset_import] == [17]
    assert not any(tensor.external_data for tensor in content.graph.initializer)
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]
    kinds = {node.op_type for node in content.graph.node}
    assert "BatchNormalization" not in kinds
    assert "Sigmoid" in kinds
    for value in (*content.graph.input, *content.graph.output):
        dims = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        assert [dims[0], *dims[2:]] == ["N", "Y", "X"]


def test_the_card_travels_in_the_file(exported, trained):
    card = read_card(exported)
    assert card.name == "small"
    assert card.output.roles == ("foreground", "border", "distance")
    assert (card.input.diameter_low_px, card.input.diameter_px, card.input.diameter_high_px) == (11.1, 20, 40)
    assert card.input.divisible_by == 4
    assert card.provenance["command"] == "make it"
    assert card.provenance["data"][0]["sha256"] == trained.facts["data"][0]["sha256"]
    assert card.provenance["data"][0]["licence"] == "CC0-1.0"


def test_the_same_weights_give_the_same_bytes(trained):
    card = card_from_training(trained, "")
    assert onnx_bytes(Probabilities(trained.network, "sigmoid").eval(), card) == onnx_bytes(
        Probabilities(trained.network, "sigmoid").eval(), card
    )


EXPORT = """
import sys
from pathlib import Path
from cpunet.__main__ import main
sys.exit(main(["export", sys.argv[1], "-o", sys.argv[2]]))
"""


def test_other_processes_with_more_threads_write_the_same_bytes(weights, tmp_path):
    sums = []
    for threads, seed in (("1", "1"), ("2", "2")):
        path = tmp_path / threads / "model.onnx"
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", EXPORT, str(weights), str(path)], check=True, env=environment)
        sums.append((sha256(path), sha256(path.with_name("weights.safetensors"))))
    assert sums[0] == sums[1]


def test_a_model_is_written_again_with_the_card_that_it_had(weights, tmp_path, capsys):
    path = tmp_path / "model.onnx"
    assert main(["export", str(weights), "-o", str(path), "--command", "cpunet train"]) == 0
    assert main(["card", "edit", str(path), "--set", "postprocessing.marker_threshold=0.31"]) == 0
    again = tmp_path / "again" / "model.onnx"
    assert main(["export", str(weights), "-o", str(again), "--card", str(path)]) == 0
    assert read_card(again) == read_card(path)
    assert read_card(again).postprocessing.marker_threshold == 0.31
    capsys.readouterr()
    assert main(["export", str(weights), "-o", str(again), "--card", str(path), "--command", "x"]) == 2
    assert "without --data and --command" in capsys.readouterr().err


def test_the_card_of_another_network_is_not_kept(weights, trained, tmp_path, capsys):
    path = tmp_path / "model.onnx"
    assert main(["export", str(weights), "-o", str(path)]) == 0
    torch.nn.init.normal_(trained.network.head.weight)
    other = tmp_path / "other.safetensors"
    save_trained(other, trained)
    assert main(["export", str(other), "-o", str(tmp_path / "new" / "model.onnx"), "--card", str(path)]) == 2
    assert "of another network: the file and the weights disagree" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_an_export_that_computes_something_else_is_not_written(trained, tmp_path, monkeypatch):
    other = Probabilities(build_network(trained.config), "sigmoid").eval()
    right = onnx_bytes
    monkeypatch.setattr("cpunet.export.to_onnx.onnx_bytes", lambda _, card: right(other, card))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the model before")
    with pytest.raises(ExportError, match=r"disagree at \d+ elements a million"):
        write_onnx(path, Probabilities(trained.network, "sigmoid").eval(), card_from_training(trained, ""))
    assert path.read_bytes() == b"the model before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_the_halo_covers_what_an_impulse_reaches(trained, exported):
    halo = read_card(exported).output.halo
    # two halvings, eight 3x3 convolutions: no pixel further than 21 away has any influence
    assert 4 <= halo <= 24
    assert halo == measure_halo(predict_with(Probabilities(trained.network, "sigmoid").eval()), 1, 4, seed=1)
    model = load_model(exported)
    image = np.random.default_rng(0).random((1, 96, 96)).astype(np.float32)
    whole = predict_tiled(image, model.predict, 3, (96, 96), halo, 4, 4)
    tiled = predict_tiled(image, model.predict, 3, (64, 64), halo, 4, 4)
    np.testing.assert_allclose(tiled, whole, atol=2e-3)


def test_the_command_writes_model_and_weights(weights, tmp_path, capsys):
    path = tmp_path / "models" / "new" / "model.onnx"
    assert main(["export", str(weights), "-o", str(path), "--command", "cpunet train"]) == 0
    assert "sha256" in capsys.readouterr().out
    assert read_card(path).provenance["command"] == "cpunet train"
    beside = load_trained(path.with_name("weights.safetensors"))
    assert beside.config == load_trained(weights).config


def test_the_readme_says_what_the_card_says_and_leaves_a_hand_written_one_alone(weights, tmp_path, capsys):
    path = tmp_path / "models" / "new" / "model.onnx"
    assert main(["export", str(weights), "-o", str(path), "--command", "cpunet train && cpunet export"]) == 0
    readme = path.with_name("README.md")
    text = readme.read_text()
    assert sha256(path) in text
    assert "| drawn train | 1 | 9 | CC0-1.0 | drawn by the tests |" in text
    assert "cpunet train\ncpunet export\n" in text
    readme.write_text("My own words.")
    assert main(["export", str(weights), "-o", str(path)]) == 0
    assert readme.read_text() == "My own words."
    assert "written by hand" in capsys.readouterr().out


def test_verify_compares_with_the_torch_weights_beside_the_file(exported, trained, tmp_path, capsys):
    assert main(["verify", str(exported)]) == 0
    assert "no weights.safetensors beside the file" in capsys.readouterr().out
    save_trained(exported.with_name("weights.safetensors"), trained)
    assert main(["verify", str(exported)]) == 0
    out = capsys.readouterr().out
    assert "passed  values of torch: agree within" in out
    assert "passed  schema: " in out
    torch.nn.init.normal_(trained.network.head.weight)
    save_trained(exported.with_name("weights.safetensors"), trained)
    assert main(["verify", str(exported)]) == 1
    assert "FAILED  values of torch: onnxruntime and torch disagree at" in capsys.readouterr().out


def test_tuning_and_scores_go_into_the_card_and_are_verified(
    data_root, weights_of_drawn, tmp_path, capsys, monkeypatch
):
    path = tmp_path / "models" / "drawn" / "model.onnx"
    assert main(["export", str(weights_of_drawn), "-o", str(path), "--data", str(data_root)]) == 0
    card = read_card(path)
    assert 0.5 < card.scores["drawn"]["mean_f1"] <= 1
    rows = rows_of_split([DataSource("drawn")], data_root, "val")[0]
    again = pool_scores(score_images(load_model(path), rows))
    assert again.mean_f1 == pytest.approx(card.scores["drawn"]["mean_f1"], abs=1e-4)
    capsys.readouterr()
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

    monkeypatch.setattr("cpunet.export.commands.export.score_images", broken)
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


def test_the_installed_command_runs(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "cpunet", "models"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "nuclei_fluorescence" in result.stdout, result.stderr
    assert result.returncode == 0
