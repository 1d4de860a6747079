"""The benchmark scores single models, their average and choices that did not see what they are scored on."""

import json

import pytest

from benchmarks.object_choice import __main__ as benchmark
from tests.synthetic_data_set import write_data_set
from tests.tiny_onnx import changed_card, tiny_onnx


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_data_set(tmp_path / "scored", ["val"] * 5 + ["train"])
    write_data_set(tmp_path / "others", ["val"] * 5)
    monkeypatch.setattr(benchmark, "SCORED", ("scored", ("val",), "fluorescence"))
    monkeypatch.setattr(benchmark, "OTHERS", (("others", ("val",), ""),))
    for name, threshold in (("narrow", 0.85), ("wide", 0.15)):
        card = changed_card(name=name, postprocessing={"foreground_threshold": threshold})
        (tmp_path / f"{name}.onnx").write_bytes(tiny_onnx(card))
    return tmp_path


def test_the_table_is_made_once_and_kept(root, capsys, monkeypatch):
    models = [str(root / f"{name}.onnx") for name in ("narrow", "wide")]
    words = ["--data", str(root), "--results", str(root / "new" / "r.json"), "--models", *models]
    assert benchmark.main(words) == 0
    printed = capsys.readouterr().out
    ((key, result),) = json.loads((root / "new" / "r.json").read_text()).items()
    assert key == " + ".join(models)
    assert result["images"] == 5
    learned = ["choice, learned on other sets", "choice, held out", "choice, learned on both"]
    assert list(result["methods"]) == ["narrow", "wide", "average", *learned]
    best = max(result["methods"][name]["mean F1"] for name in ("narrow", "wide"))
    for name in learned:
        gain = result["gains"][name]
        assert gain["mean_f1"] == pytest.approx(result["methods"][name]["mean F1"] - best, abs=2e-4)
        assert gain["low"] <= gain["mean_f1"] <= gain["high"]
        assert f"| {name} |" in printed
    monkeypatch.setattr(benchmark, "measured", None)
    assert benchmark.main(words) == 0
    assert capsys.readouterr().out == printed
