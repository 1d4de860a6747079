import sys

import pytest
import torch
import yaml

from cpunet.__main__ import main
from cpunet.errors import WeightsError
from cpunet.training.config import config_from_dict, config_to_dict
from cpunet.training.detection.config import DetectionConfig
from cpunet.training.weights import (
    DETECTION_KEY,
    FACTS_KEY,
    holds_detector,
    load_trained,
    load_training,
    save_trained,
    write_stored,
)
from tests.detection import SMALL_DETECTION


@pytest.fixture
def of_a_detector(tmp_path):
    """A file of weights that says that it is of Mask R-CNN."""
    path = tmp_path / "weights.safetensors"
    config = config_to_dict(config_from_dict(SMALL_DETECTION, DetectionConfig))
    write_stored(path, torch.nn.Linear(1, 1), {DETECTION_KEY: config, FACTS_KEY: {"diameter_px": 20.0}})
    return path


def test_without_torchvision_the_command_says_which_environment_has_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cpunet.training.detection.train", None)
    path = tmp_path / "boxes.yaml"
    path.write_text(yaml.safe_dump(SMALL_DETECTION))
    assert main(["train-detection", str(path), "--data", str(tmp_path)]) == 2
    assert "Mask R-CNN needs torchvision" in capsys.readouterr().err


def test_without_torchvision_export_says_so_too(of_a_detector, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cpunet.export.detection.export_detector", None)
    target = of_a_detector.with_name("model.onnx")
    assert main(["export", str(of_a_detector), "-o", str(target)]) == 2
    assert "`make detection` in the folder of the repository" in capsys.readouterr().err
    assert not target.exists()


def test_files_of_weights_say_of_what_kind_they_are(of_a_detector, trained, tmp_path):
    of_a_unet = tmp_path / "unet.safetensors"
    save_trained(of_a_unet, trained)
    assert [holds_detector(each) for each in (of_a_detector, of_a_unet, tmp_path / "none.ckpt")] == [True, False, False]
    assert load_training(of_a_detector).config.detector.max_objects == SMALL_DETECTION["detector"]["max_objects"]
    assert load_training(of_a_detector).facts == {"diameter_px": 20.0}
    assert load_training(of_a_unet).config == trained.config
    with pytest.raises(WeightsError, match="this is a Mask R-CNN of `cpunet train-detection`"):
        load_trained(of_a_detector)
