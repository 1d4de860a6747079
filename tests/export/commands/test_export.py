import copy
import shutil
from dataclasses import replace

import pytest
import torch

from cpunet.__main__ import main
from cpunet.training.weights import save_trained
from tests.export.bioimageio_packages import files_of, no_network  # noqa: F401


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["."], "is a folder. Give the file of weights in it, such as weights.safetensors"),
        ([".", "-o", "b.onnx", "--data", "data"], "is a folder. Give the file of weights in it"),
        (["model.onnx"], "give --bioimageio"),
        (["model.onnx", "--bioimageio", "a.zip", "-o", "b.onnx"], "without -o"),
        (["weights.safetensors", "--bioimageio", "a.zip"], "with -o"),
        (["model.onnx", "--bioimageio", "a.tar"], "must end in .zip"),
    ],
)
def test_export_says_which_argument_is_missing(words, message, capsys):
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err


def test_weights_are_exported_and_packed_at_once(weights, tmp_path):
    output, package = tmp_path / "out" / "model.onnx", tmp_path / "out" / "package.zip"
    assert main(["export", str(weights), "-o", str(output), "--bioimageio", str(package)]) == 0
    assert files_of(package)["model.onnx"] == output.read_bytes()
    assert main(["import-bioimageio", str(package), "-o", str(tmp_path / "back.onnx")]) == 0
    assert (tmp_path / "back.onnx").read_bytes() == output.read_bytes()


def test_an_export_replaces_its_own_files_and_no_other_training(exported, weights, trained, tmp_path, capsys):
    folder = tmp_path / "small"
    shutil.copytree(exported.parent, folder)
    words = ["export", str(weights), "-o", str(folder / "model.onnx")]
    assert main(words) == 0
    assert (folder / "model.onnx").read_bytes() != b""
    other = replace(trained, network=copy.deepcopy(trained.network))
    with torch.no_grad():
        next(other.network.parameters()).add_(1)
    save_trained(folder / "weights.safetensors", other)
    before = (folder / "weights.safetensors").read_bytes()
    assert main(words) == 2
    assert "holds the weights of another training" in capsys.readouterr().err
    assert (folder / "weights.safetensors").read_bytes() == before
    (folder / "weights.safetensors").write_bytes(b"mine")
    assert main(words) == 2
    assert "weights.safetensors exists, and was not written by cpunet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.onnx", "--bioimageio", "mine.zip"], "mine.zip exists, and was not written by cpunet"),
        (["weights.safetensors", "-o", "mine.onnx"], "mine.onnx exists, and was not written by cpunet"),
        (["a.safetensors", "-o", "b.onnx", "--card", "b.onnx"], "b.onnx is an input of this command"),
    ],
)
def test_an_export_replaces_nothing_of_the_users(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.zip", "mine.onnx"):
        (tmp_path / name).write_text("mine")
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "mine.zip").read_text() == (tmp_path / "mine.onnx").read_text() == "mine"


def test_an_import_replaces_nothing_of_the_users(tmp_path, capsys):
    (tmp_path / "mine.onnx").write_text("mine")
    assert main(["import-bioimageio", str(tmp_path / "p.zip"), "-o", str(tmp_path / "mine.onnx")]) == 2
    assert "not written by cpunet" in capsys.readouterr().err
    assert (tmp_path / "mine.onnx").read_text() == "mine"
