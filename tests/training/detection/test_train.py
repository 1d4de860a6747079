import shutil
from dataclasses import replace

import pytest
import torch
import yaml

from cpunet.errors import ConfigError, WeightsError
from cpunet.training.config import config_from_dict
from cpunet.training.detection.config import DetectionConfig
from tests.detection import NEEDS_TORCHVISION, SMALL_DETECTION

pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)

from cpunet.__main__ import main
from cpunet.training.detection.network import build_detector
from cpunet.training.detection.stream import ObjectData, ObjectStream
from cpunet.training.detection.task import DetectionTask
from cpunet.training.detection.train import train_detector
from cpunet.training.detection.weights import TrainedDetector, load_detector, save_detector
from cpunet.training.patches.sources import read_sources
from cpunet.training.weights import load_trained


@pytest.fixture
def config():
    return config_from_dict(SMALL_DETECTION, DetectionConfig)


def weights_of(path):
    return load_detector(path).network.state_dict()


def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(config, data_root, tmp_path, monkeypatch, capsys):
    whole = train_detector(config, data_root, tmp_path / "whole")
    steps_taken = DetectionTask.training_step

    def stops_after_two(task, batch, index):
        if task.trainer.global_step == 2:
            raise KeyboardInterrupt
        return steps_taken(task, batch, index)

    monkeypatch.setattr(DetectionTask, "training_step", stops_after_two)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train_detector(config, data_root, tmp_path / "stopped")
    assert not (tmp_path / "stopped/weights.safetensors").exists()
    monkeypatch.setattr(DetectionTask, "training_step", steps_taken)
    resumed = train_detector(config, data_root, tmp_path / "stopped")
    assert all(torch.equal(weights_of(resumed)[name], value) for name, value in weights_of(whole).items())
    found = load_detector(resumed)
    assert found.config == config
    assert found.facts["steps"] == 4
    assert found.facts["data"][0]["images"] == 6
    changed = replace(config, detector=replace(config.detector, proposals=10))
    with pytest.raises(ConfigError, match="is of a run with another detector"):
        train_detector(changed, data_root, tmp_path / "whole")
    with pytest.raises(WeightsError, match="this is a Mask R-CNN of `cpunet train-detection`"):
        load_trained(resumed)
    capsys.readouterr()
    before = weights_of(whole)
    train_detector(replace(config, description="New."), data_root, tmp_path / "whole")
    assert "this run is finished, nothing is trained" in capsys.readouterr().out
    assert load_detector(whole).config.description == "New."
    assert all(torch.equal(weights_of(whole)[name], value) for name, value in before.items())


def test_the_command_trains_from_given_weights_and_says_what_it_took(data_root, tmp_path, capsys, config):
    start = tmp_path / "start.safetensors"
    torch.manual_seed(1)
    save_detector(start, TrainedDetector(build_detector(config.detector), config, {}))
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**SMALL_DETECTION, "steps": 1, "validate_every": 1}))
    words = ["train-detection", str(path), "--data", str(data_root), "--run", str(tmp_path / "second")]
    assert main([*words, "--from", str(start), "--from-licence", "CC0-1.0"]) == 0
    out = capsys.readouterr().out
    assert f"starting from {start}: a detector: 114 tensors taken\n" in out
    assert "next: cpunet export" in out
    facts = load_detector(tmp_path / "second/weights.safetensors").facts
    assert facts["start_from"]["licence"] == "CC0-1.0"
    assert facts["start_from"]["name"] == "start.safetensors"
    assert main([*words, "--from", str(tmp_path / "none.pth")]) == 2
    shutil.rmtree(tmp_path / "second")
    assert main([*words, "--from", str(tmp_path / "none.pth")]) == 2
    assert "none.pth: there is no such file" in capsys.readouterr().err
    assert not (tmp_path / "second").exists()


def test_patches_are_the_same_whenever_they_are_asked_for(config, data_root):
    _, sources, _ = read_sources(config, data_root)
    stream, later = ObjectStream(sources, config, 0, 8), ObjectStream(sources, config, 5, 3)
    image, objects = stream[6]
    again, same = later[1]
    assert image.shape == (3, 64, 64)
    assert torch.equal(image, again)
    assert all(torch.equal(value, same[name]) for name, value in objects.items())
    images, found = ObjectData.collate([stream[0], stream[1]])
    assert [len(images), len(found)] == [2, 2]


def test_long_gradients_are_shortened(config, data_root, tmp_path, monkeypatch):
    seen = []

    def keep(task, optimizer, *_):
        norms = [p.grad.norm() for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        seen.append(float(torch.stack(norms).norm()))

    monkeypatch.setattr(DetectionTask, "on_before_optimizer_step", lambda task, optimizer: keep(task, optimizer))
    clipped = DetectionTask.configure_gradient_clipping

    def clip(task, optimizer, *args, **kwargs):
        clipped(task, optimizer, *args, **kwargs)
        keep(task, optimizer)

    monkeypatch.setattr(DetectionTask, "configure_gradient_clipping", clip)
    train_detector(replace(config, steps=1, validate_every=1, gradient_norm=0.01), data_root, tmp_path)
    before, after = seen[-2:]
    assert before > 0.011
    assert after == pytest.approx(0.01, rel=1e-3)
