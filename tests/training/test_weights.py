import json

import pytest
import torch
from safetensors import safe_open

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
