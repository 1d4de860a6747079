import itertools
import re
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from cpunet.training.network.summary import (
    NetworkSummary,
    count_macs,
    measure_activation_bytes,
    measure_receptive_field,
    summarize,
)
from cpunet.training.network.unet import DECODERS, ENCODERS, PADDINGS, STEMS, Architecture, UNet

SMALL = Architecture(base_channels=4, depth=1, max_channels=8)


def test_macs_of_a_small_network_counted_by_hand():
    fine = 9 * 1 * 4 + 9 * 4 * 4 + 9 * 4 * 4 + 4 * 3  # two convolutions down, one up, and the head
    coarse = 9 * 4 * 8 + 9 * 8 * 8 + 8 * 4  # two convolutions, and the step up
    assert count_macs(UNet(SMALL, 1, 3), 16) == 16 * 16 * fine + 8 * 8 * coarse


@pytest.mark.parametrize(("encoder", "decoder", "stem"), list(itertools.product(ENCODERS, DECODERS, STEMS)))
def test_macs_are_those_of_each_convolution(encoder, decoder, stem):
    network = UNet(Architecture(base_channels=4, depth=3, encoder=encoder, decoder=decoder, stem=stem), 2, 3).eval()
    counted = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda convolution, _, output: counted.append(output.numel() * convolution.weight[0].numel())
            )
        elif isinstance(module, nn.ConvTranspose2d):
            module.register_forward_hook(
                lambda convolution, given, _: counted.append(given[0].numel() * convolution.weight[0].numel())
            )
    with torch.inference_mode():
        network(torch.zeros(1, 2, 32, 32))
    by_hand = sum(counted)
    assert count_macs(network, 32) == by_hand
    assert len(counted) > 8


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_half_stem_saves_most_of_the_work(decoder):
    full, half = (count_macs(UNet(Architecture(decoder=decoder, stem=stem), 1, 3), 192) for stem in ("full", "half"))
    assert half < 0.3 * full


def test_the_pyramid_takes_less_work_than_the_u_net():
    unet, pyramid = (count_macs(UNet(Architecture(decoder=decoder), 1, 3), 192) for decoder in ("unet", "fpn"))
    assert pyramid < 0.8 * unet


def reach_by_brute_force(architecture):
    """Brighten every pixel of a column, one at a time, and see which outputs change."""
    network = UNet(replace(architecture, base_channels=2, max_channels=4), 1, 2).double().eval()
    for weight in network.parameters():
        nn.init.uniform_(weight, 0.1, 1.0)  # above 0: no path cancels another, and no ReLU closes one
    for chain in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for place, layer in enumerate(chain):
            if isinstance(layer, nn.ReLU6):  # at its upper end it would close all paths
                chain[place] = nn.ReLU()
    unit, length = architecture.divisible_by, 24 * architecture.divisible_by
    image = torch.rand(1, 1, length, architecture.min_size, dtype=torch.double)
    reach = torch.zeros(length, length, dtype=torch.bool)
    with torch.inference_mode():
        before = network(image)
        for row in range(length):
            changed = image.clone()
            changed[0, 0, row, 0] += 1e9  # the largest in every window, whatever else lies there
            reach[:, row] = (network(changed) != before).any(dim=1).any(dim=2)[0]
    widths = []
    for row in range(length // 2, length // 2 + unit):
        seen = torch.nonzero(reach[row]).flatten()
        assert 0 < seen[0] <= seen[-1] < length - 1
        widths.append(int(seen[-1] - seen[0]) + 1)
    return max(widths)


@pytest.mark.parametrize(
    "architecture",
    [
        SMALL,
        replace(SMALL, depth=2),
        replace(SMALL, decoder_convolutions=2),
        replace(SMALL, encoder="residual"),
        replace(SMALL, decoder="fpn"),
        replace(SMALL, decoder="fpn", depth=2),
        replace(SMALL, stem="half"),
        replace(SMALL, stem="half", decoder="fpn", padding="reflect"),
        replace(SMALL, decoder="concatenating", encoder="preactivation"),
        replace(SMALL, encoder="bottleneck", depth=2),
        replace(SMALL, encoder="efficientnet_lite0"),
        replace(SMALL, encoder="resnet18", stem="half"),
    ],
    ids=[
        *("depth 1", "depth 2", "two up", "residual", "fpn", "fpn of depth 2", "half", "half fpn reflect"),
        *("concatenating preactivation", "bottleneck of depth 2", "EfficientNet-Lite0", "ResNet-18"),
    ],
)
def test_receptive_field_against_brute_force(architecture):
    assert measure_receptive_field(UNet(architecture, 1, 3)) == reach_by_brute_force(architecture)


def test_receptive_field_of_a_small_network_followed_by_hand():
    # One output row: 3 rows before the last convolution; these lie in 2 coarse rows; 6 before two convolutions there,
    # which are 12 fine rows; 16 before the first two convolutions.
    assert measure_receptive_field(UNet(SMALL, 1, 3)) == 16


def test_receptive_field_does_not_depend_on_the_number_of_features_and_grows_with_depth():
    wide, narrow, deep = (
        measure_receptive_field(UNet(Architecture(base_channels=base, depth=depth), 2, 1))
        for base, depth in ((8, 3), (2, 3), (2, 4))
    )
    assert wide == narrow < deep


def test_memory_of_a_small_network_counted_by_hand():
    # Kept for the way back: what enters each convolution, normalization, ReLU and the pooling (with the 64-bit places
    # of its maxima). The ReLU works in place, and what enters the 1x1 step and the sum's convolution is kept too.
    fine = 4 * (1 + 2 * (4 + 4) + (4 + 4 + 4))
    coarse = 4 * (4 + 2 * (8 + 8)) + 8 * 4
    assert measure_activation_bytes(UNet(SMALL, 1, 3), 64) == 64 * 64 * fine + 32 * 32 * coarse


@pytest.mark.parametrize("decoder", DECODERS)
def test_mixed_precision_takes_about_half_of_the_memory(decoder):
    network = UNet(Architecture(decoder=decoder), 1, 3)
    full, mixed = (measure_activation_bytes(network, 64, precision) for precision in ("32-true", "bf16-mixed"))
    assert 0.45 < mixed / full < 0.7


def test_memory_grows_with_the_patch_and_falls_with_the_half_stem():
    network, half = UNet(Architecture(), 1, 3), UNet(Architecture(stem="half"), 1, 3)
    assert measure_activation_bytes(network, 384) == 4 * measure_activation_bytes(network, 192)
    assert measure_activation_bytes(half, 192) < 0.4 * measure_activation_bytes(network, 192)


def test_a_summary_reads_as_one_line():
    summary = NetworkSummary(192, 812_345, 2_123_456_789, 188, 34_700_000)
    assert str(summary) == (
        "0.812 M parameters, 2.12 G multiply-accumulates for a patch of 192x192 (57.6 k a pixel), receptive field "
        "188 pixels, 34.7 MB of memory a patch in training"
    )
    tiny = NetworkSummary(8, 7, 64 * 99, 16, 99)
    assert re.match(r"7 parameters, 6.34 k .* \(99 a pixel\), .* 99 B of memory", str(tiny))


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_summary_holds_every_measure_and_leaves_all_as_it_was(padding):
    torch.manual_seed(0)
    network = UNet(replace(SMALL, padding=padding, dropout=0.5), 2, 3)
    before, state = deepcopy(network.state_dict()), torch.get_rng_state()
    summary = summarize(network, 32, "bf16-mixed")
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert network.training
    assert summary.patch_size == 32
    assert summary.parameters == sum(weight.numel() for weight in network.parameters())
    assert summary.macs_per_patch == count_macs(network, 32)
    assert summary.receptive_field_px == 16
    assert summary.activation_bytes_per_patch == measure_activation_bytes(network, 32, "bf16-mixed")
