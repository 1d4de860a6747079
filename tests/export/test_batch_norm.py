import copy

import pytest
import torch
from torch import nn

from cpunet.export.batch_norm import fold_batch_norm
from cpunet.training.network.blocks import BlockStyle, ResidualBlock


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


def test_a_normalization_without_a_convolution_before_it_is_refused():
    with pytest.raises(ValueError, match="0 follow no convolution"):
        fold_batch_norm(nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 1, 1)))
