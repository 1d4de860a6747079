import pytest
import torch

from cpunet.training.unet import Architecture, Probabilities, UNet


@pytest.mark.parametrize(("depth", "channels"), [(1, 1), (2, 3), (4, 1)])
def test_output_has_the_size_of_the_input(depth, channels):
    architecture = Architecture(in_channels=channels, out_channels=3, base_channels=4, depth=depth)
    size = 3 * architecture.divisible_by
    output = UNet(architecture)(torch.zeros(2, channels, size, 2 * size))
    assert output.shape == (2, 3, size, 2 * size)


def test_features_double_up_to_the_largest():
    assert Architecture(base_channels=16, depth=4, max_channels=128).channels == (16, 32, 64, 128, 128)


def test_parameters_of_the_shipped_network():
    # 3x3 convolutions 1-16-16-32-32-64-64-128-128-128-128 and 128-64-32-16 on the way up, the 1x1 steps and the head
    def convolution(before, after):
        return 9 * before * after + 2 * after

    down = [(1, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 128), (128, 128)]
    up = [(128, 128), (128, 64), (64, 32), (32, 16)]
    expected = sum(convolution(*pair) for pair in down) + sum(
        before * after + after + convolution(after, after) for before, after in up
    )
    found = sum(parameter.numel() for parameter in UNet(Architecture()).parameters())
    assert found == expected + 16 * 3 + 3


def test_probabilities_lie_between_0_and_1():
    values = Probabilities(UNet(Architecture(base_channels=4, depth=2)))(100 * torch.randn(1, 1, 16, 16))
    assert 0 <= values.min() < values.max() <= 1


def test_every_weight_learns():
    network = UNet(Architecture(base_channels=4, depth=3))
    network(torch.randn(2, 1, 32, 32)).square().mean().backward()
    still = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not still
