import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from cpunet.errors import WeightsError
from cpunet.model.card import Normalization
from cpunet.training.config import config_from_dict, config_to_dict
from cpunet.training.train import train
from cpunet.training.weights import load_trained, save_trained, with_sorted_header


@pytest.fixture
def saved(trained, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_trained(path, trained)
    return path


def test_the_same_weights_give_the_same_bytes(saved, trained, tmp_path):
    for attempt in range(10):  # safetensors orders its metadata by chance
        again = tmp_path / f"{attempt}.safetensors"
        save_trained(again, trained)
        assert again.read_bytes() == saved.read_bytes()


def test_the_sorted_header_leaves_names_values_and_metadata_as_they_were(saved, trained):
    content = saved.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    assert start % 8 == 0
    header = json.loads(content[8:start])
    shuffled = json.dumps(dict(reversed(header.items()))).encode()
    shuffled += b" " * (-len(shuffled) % 8)
    assert with_sorted_header(len(shuffled).to_bytes(8, "little") + shuffled + content[start:]) == content
    with safe_open(saved, framework="pt") as file:
        assert set(file.metadata()) == {"cpunet_config", "cpunet_facts"}
    back = load_trained(saved)
    assert back.config == trained.config
    assert back.facts == trained.facts
    for name, value in trained.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], value), name


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
    with pytest.raises(WeightsError, match="no weights") as caught:
        load_trained(path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch's advice would run the file's code
    assert not (tmp_path / "exploded").exists()


def test_weights_of_version_1_without_normalization_read_the_numbers_of_files(trained, tmp_path):
    without = replace(trained.config, normalization=Normalization("none"))
    path = tmp_path / "weights.safetensors"
    save_trained(path, replace(trained, config=without))
    assert load_trained(path).config.normalization.units == "as_stored"
    save_trained(path, replace(trained, config=config_from_dict(config_to_dict(without))))
    assert load_trained(path).config.normalization.units == "zero_to_one"
