import json

import pytest

from benchmarks.detection.__main__ import main
from tests.synthetic_data_set import write_data_set


def test_models_are_scored_by_the_path_of_the_module_and_once(tiny_model, tmp_path, capsys):
    write_data_set(tmp_path / "drawn", ["train", "val", "val"])
    words = [str(tiny_model), "--data", str(tmp_path / "drawn"), "--folder", str(tmp_path / "scores")]
    assert main(words) == 0
    (kept,) = (tmp_path / "scores").glob("*.json")
    found = json.loads(kept.read_text())
    assert found["images"] == 2
    assert 0 < found["f1_at_0.9"] <= found["mean_f1"] <= found["f1_at_0.5"] <= 1
    assert f"| {found['mean_f1']:.3f} |" in capsys.readouterr().out
    kept.write_text(json.dumps({**found, "mean_f1": 0.123}))
    assert main(words) == 0
    assert "| 0.123 |" in capsys.readouterr().out


def test_the_configurations_can_be_read():
    pytest.importorskip("lightning")
    from cpunet.training.config import read_config
    from cpunet.training.detection.config import DetectionConfig
    from tests.places import REPOSITORY

    found = [
        read_config(path, DetectionConfig) for path in sorted((REPOSITORY / "benchmarks/detection").glob("*.yaml"))
    ]
    assert [each.detector.backbone for each in found] == ["resnet18", "resnet50"]
    assert all(each.detector.normalization_layers == "group" and not each.start_from for each in found)
