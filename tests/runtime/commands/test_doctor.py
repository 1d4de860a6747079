import os
from importlib import metadata

import numpy as np
import pytest

from cpunet.__main__ import main
from cpunet.checks.device import Measured
from cpunet.checks.stored_test import STORED_TEST_KEY, StoredTest, stored_test_to_json
from cpunet.model.session import OnnxModel
from tests.tiny_onnx import changed_card, field, tiny_onnx


def test_doctor_reports_the_provider_of_a_real_session(own_models, capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "runs on   CPUExecutionProvider" in said or "runs on   CUDAExecutionProvider" in said
    assert "512x512" in said
    assert "found     25 objects in a synthetic field of 25 nuclei" in said


def test_doctor_names_a_broken_model(own_models, capsys):
    (own_models / "bad").mkdir()
    (own_models / "bad" / "model.onnx").touch()
    assert main(["doctor"]) == 1
    assert "PROBLEM: model bad" in capsys.readouterr().out


def with_test(content, card_of_input=-4.0):
    """Add a test with the output of the tiny network of another offset, or its own."""
    image = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    expected = (1 / (1 + np.exp(-card_of_input - 14 * image))).astype(np.float32)
    return content + field(14, field(1, STORED_TEST_KEY) + field(2, stored_test_to_json(StoredTest(image, expected))))


OTHER_IMAGES = changed_card(input={"modality": "tissue"})
JUDGED = {
    "finds nothing": (tiny_onnx(offset=-40.0), 1, "it found 0 objects in a synthetic field of 25"),
    "finds one object everywhere": (tiny_onnx(offset=40.0), 1, "it found 1 objects"),
    "of other images, without a test": (tiny_onnx(OTHER_IMAGES, offset=-40.0), 1, "it found 0 objects"),
    "of other images, with its test": (with_test(tiny_onnx(OTHER_IMAGES, offset=-40.0), -40.0), 0, "trained on tissue"),
    "of nuclei, blind though its test agrees": (with_test(tiny_onnx(offset=-40.0), -40.0), 1, "it found 0 objects"),
    "fails its own test": (with_test(tiny_onnx(), -3.0), 1, "its stored test disagree"),
    "no numbers": (tiny_onnx(gain=float("nan")), 1, "no numbers"),
}


@pytest.mark.parametrize(("content", "code", "words"), JUDGED.values(), ids=JUDGED)
def test_doctor_judges_what_a_model_finds(tmp_path, monkeypatch, capsys, content, code, words):
    path = tmp_path / "mine.onnx"
    path.write_bytes(content)
    monkeypatch.setattr("cpunet.commands.doctor.list_models", lambda: {"mine": path})
    assert main(["doctor"]) == code
    said = capsys.readouterr().out
    assert words in said
    assert ("PROBLEM: model mine: " in said) == bool(code)
    assert ("Everything works." in said) != bool(code)


@pytest.fixture
def quick(monkeypatch):
    """Measure no speed: all shipped models would be run."""
    monkeypatch.setattr("cpunet.commands.doctor.measure", lambda *_: Measured(["512x512   measured"], ""))


def make_folder(path):
    path.mkdir()


def make_pipe(path):
    os.mkfifo(path)


def make_text(path):
    path.write_text("no network")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes")
@pytest.mark.parametrize("command", ["doctor", "models"])
@pytest.mark.parametrize("make", [make_folder, make_pipe, make_text])
def test_what_stands_in_the_place_of_a_model_costs_only_itself(own_models, quick, capsys, make, command):
    (own_models / "bad").mkdir()
    make(own_models / "bad" / "model.onnx")
    assert main([command]) == 1
    said = capsys.readouterr()
    assert "bad" in said.out
    assert "tiny" in said.out or "512x512" in said.out
    assert said.err == ""


def test_a_file_that_may_not_be_read_is_named(own_models, quick, capsys, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("cpunet.commands.doctor.sha256", refuse)
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    assert "PROBLEM: model nuclei_fluorescence: [Errno 13] Permission denied" in said.out
    assert said.err == ""


@pytest.mark.parametrize("error", [KeyError("Version"), ValueError("no metadata"), OSError("unreadable")])
def test_the_remains_of_an_installation_are_reported(own_models, quick, capsys, monkeypatch, error):
    def version(package):
        raise error

    monkeypatch.setattr(metadata, "version", version)
    assert main(["doctor"]) == 0
    assert f"broken ({type(error).__name__}" in capsys.readouterr().out


def test_a_model_that_fails_in_an_unknown_way_is_named_with_the_error(own_models, capsys, monkeypatch):
    def fail(model, batch):
        raise RuntimeError("of a library")

    monkeypatch.setattr(OnnxModel, "predict", fail)
    assert main(["doctor"]) == 1
    assert "PROBLEM: model nuclei_fluorescence: RuntimeError: of a library" in capsys.readouterr().out
