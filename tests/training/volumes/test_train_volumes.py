import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from cpunet.__main__ import main
from cpunet.errors import ConfigError, WeightsError
from cpunet.training.curves import read_metrics
from cpunet.training.volumes.task import VolumeTask
from cpunet.training.volumes.train import train_volumes
from cpunet.training.volumes.weights import load_trained_volumes
from cpunet.training.weights import holds_detector, holds_volumes, load_trained, load_training
from tests.training.volumes.conftest import SMALL


def weights_of(path):
    return load_trained_volumes(path).network.state_dict()


def test_training_learns_to_find_drawn_balls(volume_root, tmp_path, volume_config):
    config = replace(volume_config, steps=60, validate_every=60, average_decay=0.8, learning_rate=0.02)
    weights = train_volumes(config, volume_root, tmp_path / "run")
    metrics = read_metrics(tmp_path / "run")
    assert metrics["val_seg"][-1][1] > 0.6
    assert metrics["val_foreground_iou"][-1][1] > 0.7
    assert (tmp_path / "run" / "curves.png").is_file()
    trained = load_trained_volumes(weights)
    assert trained.config.z_step_px == trained.facts["z_step_px"] == 2.0
    assert trained.facts["steps"] == 60
    assert 8 < trained.facts["diameter_px"] < 12
    # the same weights, scored on the same volume by the command
    words = ["--model", str(weights), "--data", str(volume_root / "balls"), "-o", str(tmp_path / "scores")]
    assert main(["evaluate", *words]) == 0
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    (volume,) = scores["methods"][0]["volumes"]
    assert volume["seg"] == pytest.approx(metrics["val_seg"][-1][1], abs=0.1)  # its diameter is measured there


def test_a_stopped_run_goes_on_and_ends_as_an_undisturbed_one(volume_root, tmp_path, volume_config, monkeypatch):
    config = replace(volume_config, augmentation=replace(volume_config.augmentation, noise=0.1), average_decay=0.5)
    whole = train_volumes(config, volume_root, tmp_path / "whole")

    class KilledError(Exception):
        """Stands for whatever ends a process."""

    def step(task, batch, index):
        if task.trainer.global_step == 4:
            raise KilledError
        return training_step(task, batch, index)

    training_step = VolumeTask.training_step
    monkeypatch.setattr(VolumeTask, "training_step", step)
    with contextlib.suppress(KilledError):
        train_volumes(config, volume_root, tmp_path / "parts")
    assert (tmp_path / "parts" / "last.ckpt").exists()
    monkeypatch.setattr(VolumeTask, "training_step", training_step)
    parts = train_volumes(config, volume_root, tmp_path / "parts")
    for name, expected in weights_of(whole).items():
        torch.testing.assert_close(weights_of(parts)[name], expected, rtol=1e-3, atol=1e-4)
    assert [step for step, _ in read_metrics(tmp_path / "parts")["val_seg"]] == [2, 5]


def test_a_run_is_kept_from_another_configuration_and_other_volumes(volume_root, tmp_path, volume_config, capsys):
    weights = train_volumes(volume_config, volume_root, tmp_path / "run")
    with pytest.raises(ConfigError, match="another learning_rate"):
        train_volumes(replace(volume_config, learning_rate=0.02), volume_root, tmp_path / "run")
    before = weights.read_bytes()
    assert train_volumes(replace(volume_config, workers=1), volume_root, tmp_path / "run") == weights
    assert "nothing is trained" in capsys.readouterr().out
    assert weights.read_bytes() != before  # the description is that of today
    image = volume_root / "balls" / "images" / "a.tif"
    (volume_root / "balls" / "images" / "b.tif").write_bytes(image.read_bytes())
    with pytest.raises(ConfigError, match="other images or labels"):
        train_volumes(volume_config, volume_root, tmp_path / "run")


def test_weights_say_that_they_are_of_volumes(volume_root, tmp_path, volume_config):
    weights = train_volumes(
        replace(volume_config, precision="bf16-mixed", patch_planes=12), volume_root, tmp_path / "run"
    )
    assert all(map(holds_volumes, (weights, tmp_path / "run" / "last.ckpt")))
    assert not holds_detector(weights)
    assert load_training(weights).config.patch_planes == 12
    with pytest.raises(WeightsError, match="a network of volumes, of `cpunet train-volumes`"):
        load_trained(weights)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(WeightsError, match="no weights that `cpunet train-volumes` wrote"):
        load_trained_volumes(broken)
    network = load_trained_volumes(weights).network
    assert np.isfinite(network(torch.rand(1, 1, 8, 16, 16)).detach().numpy()).all()


def test_the_command_trains_and_names_what_comes_next(volume_root, tmp_path, capsys):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    words = ["train-volumes", str(path), "--data", str(volume_root), "--run", str(tmp_path / "run"), "--steps", "2"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "receptive field" in said.out
    assert f"next: cpunet export {tmp_path / 'run' / 'weights.safetensors'}" in said.out
    assert "SEG" in said.err + said.out


def test_words_of_the_plan_are_refused_without_it(volume_root, tmp_path, capsys):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    assert main(["train-volumes", str(path), "--data", str(volume_root), "--z-step", "2"]) == 2
    assert "--z-step goes with --plan" in capsys.readouterr().err
