import numpy as np
import pytest

from cpunet.__main__ import main
from cpunet.checks.stored_test import STORED_TEST_KEY, StoredTest, stored_test_to_json
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
