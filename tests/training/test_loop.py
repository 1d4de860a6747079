import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imsave

from cpunet.__main__ import main
from cpunet.matching import pool_scores
from cpunet.training.config import ConfigError
from cpunet.training.data import read_labelled_image, rows_of_split
from cpunet.training.dataset import PatchStream, normalized_patch
from cpunet.training.evaluation import TorchModel, card_for_training, score_images
from cpunet.training.loop import train
from cpunet.training.weights import WeightsError, load_trained, save_trained
from tests.drawn_data_set import write_data_set


def weights_of(path):
    return load_trained(path).network.state_dict()


def test_training_learns_to_find_drawn_nuclei(data_root, tmp_path, small_config):
    weights = train(replace(small_config, steps=300, validate_every=150), data_root, tmp_path)
    trained = load_trained(weights)
    rows = rows_of_split(small_config.data, data_root, "val")[0]
    scores = pool_scores(score_images(TorchModel(trained.network, card_for_training(trained.config)), rows))
    assert scores.f1[0.5] > 0.75
    assert trained.facts["data"][0]["images"] == 6
    assert 12 < trained.facts["diameter_px"] < 22
    metrics = (tmp_path / "logs" / "version_0" / "metrics.csv").read_text()
    assert "val_mean_f1" in metrics


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(data_root, tmp_path, small_yaml, small_config):
    undisturbed = train(small_config, data_root, tmp_path / "whole")
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "cpunet", "train", str(small_yaml), "--data", str(data_root), "--run", str(killed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (killed / "last.ckpt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (killed / "last.ckpt").exists()
    assert main(command[3:]) == 0
    for name, expected in weights_of(undisturbed).items():
        torch.testing.assert_close(weights_of(killed / "weights.safetensors")[name], expected, rtol=1e-3, atol=1e-4)


def test_a_finished_run_is_not_begun_anew(data_root, tmp_path, small_config):
    config = replace(small_config, steps=4, validate_every=4)
    first = weights_of(train(config, data_root, tmp_path))
    again = weights_of(train(config, data_root, tmp_path))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_finished_model_may_be_described_anew(data_root, tmp_path, small_config):
    config = replace(small_config, steps=4, validate_every=4)
    train(config, data_root, tmp_path)
    again = load_trained(train(replace(config, description="Other words."), data_root, tmp_path))
    assert again.config.description == "Other words."


def test_a_run_of_another_configuration_is_not_gone_on_with(data_root, tmp_path, small_config):
    config = replace(small_config, steps=4, validate_every=4)
    train(config, data_root, tmp_path)
    with pytest.raises(ConfigError, match="another learning_rate"):
        train(replace(config, learning_rate=0.5), data_root, tmp_path)


def test_patches_do_not_depend_on_where_the_stream_begins(data_root, small_config):
    rows = rows_of_split(small_config.data, data_root, "train")
    sources = [[normalized_patch(read_labelled_image(row), small_config) for row in source] for source in rows]
    whole, rest = PatchStream(sources, small_config, 0, 10), PatchStream(sources, small_config, 6, 4)
    for index in range(4):
        for one, other in zip(whole[6 + index], rest[index], strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_weights_survive_saving(data_root, tmp_path, small_config):
    trained = load_trained(train(replace(small_config, steps=2, validate_every=2), data_root, tmp_path))
    save_trained(tmp_path / "copy.safetensors", trained)
    copy = load_trained(tmp_path / "copy.safetensors")
    assert copy.config == trained.config
    assert copy.facts == trained.facts
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(copy.network(image), trained.network(image))


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps(Bomb())], ids=["empty", "text", "pickle"])
def test_files_of_strangers_are_refused_and_never_run(tmp_path, monkeypatch, suffix, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="no weights"):
        load_trained(path)
    assert not (tmp_path / "exploded").exists()


def test_an_image_that_does_not_fit_is_named(tmp_path, capsys, small_yaml):
    write_data_set(tmp_path / "drawn", ["train", "val"])
    colour = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    imsave(str(tmp_path / "drawn" / "images" / "f0.png"), colour, check_contrast=False)
    assert main(["train", str(small_yaml), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
    assert "f0: The image has the shape (96, 96, 3)" in capsys.readouterr().err


def test_the_command_line_says_what_is_wrong(tmp_path, capsys, small_yaml):
    assert main(["train", str(tmp_path / "absent.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert main(["train", str(small_yaml), "--data", str(tmp_path)]) == 2
    assert "index.csv" in capsys.readouterr().err
