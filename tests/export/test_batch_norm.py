import copy

import pytest
import torch
from torch import nn

from cpunet.export.batch_norm import fold_batch_norm
from cpunet.training.network.blocks import BlockStyle, ResidualBlock
from cpunet.training.network.unet import Architecture, UNet


def test_a_folded_network_computes_the_same_and_leaves_the_first_alone(trained):
    network = trained.network
    before = copy.deepcopy(network.state_dict())
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    image = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        expected = network(image)
        assert expected.std() > 0.1
        torch.testing.assert_close(folded(image), expected, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_residual_blocks_fold_too():
    block = ResidualBlock(2, 4, BlockStyle(padding="reflect"))
    for _ in range(5):
        block(torch.rand(4, 2, 16, 16))
    block.eval()
    image = torch.rand(1, 2, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(fold_batch_norm(block)(image), block(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(base_channels=4, depth=2, max_channels=8, encoder=encoder, decoder=decoder)
        for encoder, decoder in (
            *(("bottleneck", "unet"), ("preactivation", "concatenating"), ("efficientnet_lite0", "fpn")),
            ("resnet18", "unet"),
        )
    ],
    ids=lambda architecture: architecture.encoder,
)
def test_networks_of_all_blocks_fold(architecture):
    torch.manual_seed(0)
    network = UNet(architecture, 1, 3)
    nn.init.normal_(network.head.weight)
    for _ in range(5):
        network(torch.rand(4, 1, 32, 32))
    network.eval()
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    image = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        expected = network(image)
        assert expected.std() > 0.1
        torch.testing.assert_close(folded(image), expected, rtol=1e-3, atol=1e-3)


def test_a_normalization_without_a_convolution_before_it_becomes_one_of_each_channel():
    chain = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 1, 1)).eval()
    for statistic in (chain[0].running_mean, chain[0].running_var, chain[0].weight, chain[0].bias):
        nn.init.uniform_(statistic, 0.5, 1.5)
    folded = fold_batch_norm(chain)
    assert (type(folded[0]), folded[0].weight.shape) == (nn.Conv2d, (3, 1, 1, 1))
    image = torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(folded(image), chain(image), rtol=1e-4, atol=1e-4)


def test_a_normalization_outside_a_chain_is_refused():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.normalization = nn.BatchNorm2d(1)

    with pytest.raises(ValueError, match=r"normalization stand in no nn\.Sequential"):
        fold_batch_norm(Block())
