from dataclasses import replace

import pytest
import torch

from cpunet.errors import ConfigError
from cpunet.training.fine_tune import load_start, transfer_weights
from cpunet.training.network.build import build_network
from cpunet.training.network.widen import widened
from cpunet.training.weights import TrainedNetwork, save_trained


@pytest.fixture(params=["full", "half"])
def narrow(small_config, request):
    """A network of random weights whose batch normalization has been used, base_channels 8 and max_channels 16."""
    return used_network(small_config, stem=request.param)


def used_network(small_config, **changes):
    torch.manual_seed(0)
    architecture = replace(small_config.architecture, base_channels=8, max_channels=16, **changes)
    config = replace(small_config, architecture=architecture)
    network = build_network(config)
    torch.nn.init.normal_(network.head.weight)
    for _ in range(5):
        network(torch.rand(4, 1, 32, 32))
    return TrainedNetwork(network.eval(), config, {})


def with_widths(trained, base_channels, max_channels):
    return replace(trained.config.architecture, base_channels=base_channels, max_channels=max_channels)


@pytest.mark.parametrize("widths", [(12, 24), (16, 32), (8, 24)])
def test_a_wider_network_computes_the_same(narrow, widths):
    wide = widened(narrow, with_widths(narrow, *widths))
    assert sum(value.numel() for value in wide.network.state_dict().values()) > sum(
        value.numel() for value in narrow.network.state_dict().values()
    )
    image = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(wide.network(image), narrow.network(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"decoder": "concatenating", "decoder_convolutions": 2},
        {"encoder": "residual", "decoder": "fpn"},
        {"encoder": "bottleneck"},
        {"encoder": "preactivation", "decoder": "concatenating"},
        {"encoder": "efficientnet_lite0", "stem": "half"},
        {"encoder": "efficientnet_lite0", "decoder": "concatenating"},
        {"encoder": "resnet18", "decoder": "fpn", "stem": "half"},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_networks_of_other_blocks_are_widened_too(small_config, changes):
    start = used_network(small_config, **changes)
    wide = widened(start, replace(start.config.architecture, base_channels=12, max_channels=24))
    before, after = (sum(value.numel() for value in each.network.parameters()) for each in (start, wide))
    assert after > before
    image = torch.rand(2, 1, 64, 64)
    expected = start.network(image)
    assert expected.std() > 0.01
    torch.testing.assert_close(wide.network(image), expected, rtol=1e-4, atol=1e-4)


def test_a_level_that_would_need_another_block_is_refused(small_config):
    start = used_network(small_config, encoder="residual")  # 8, 16, 16
    with pytest.raises(ConfigError, match="levels of one width would get two"):
        widened(start, replace(start.config.architecture, max_channels=24))


def test_copies_of_a_feature_learn_different_things(narrow):
    wide = widened(narrow, with_widths(narrow, 16, 32))
    wide.network.train()
    wide.network(torch.rand(2, 1, 64, 64)).square().mean().backward()
    gradient = wide.network.encoder[0][0].weight.grad
    distances = torch.cdist(gradient.flatten(1), gradient.flatten(1)) + torch.eye(len(gradient))
    assert distances.min() > 1e-7 * gradient.abs().max()


def test_a_run_starts_from_a_narrower_model(narrow, tmp_path):
    save_trained(tmp_path / "weights.safetensors", narrow)
    config = replace(narrow.config, architecture=with_widths(narrow, 12, 24), start_from=str(tmp_path))
    network = build_network(config)
    transfer = transfer_weights(network, config, load_start(config))
    assert transfer.transferred == len(network.state_dict())
    image = torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(network.eval()(image), narrow.network(image), rtol=1e-4, atol=1e-4)


def test_a_narrower_network_cannot_start_from_a_wider_one(narrow, tmp_path):
    save_trained(tmp_path / "weights.safetensors", narrow)
    config = replace(narrow.config, architecture=with_widths(narrow, 4, 16), start_from=str(tmp_path))
    with pytest.raises(ConfigError, match="another architecture"):
        load_start(config)


def test_one_width_cannot_become_two(narrow):
    architecture = replace(narrow.config.architecture, depth=3)
    deep = TrainedNetwork(
        build_network(replace(narrow.config, architecture=architecture)),
        replace(narrow.config, architecture=architecture),
        {},
    )
    with pytest.raises(ConfigError, match="levels of 16 features would get 24 and 48"):
        widened(deep, replace(architecture, base_channels=12, max_channels=48))
