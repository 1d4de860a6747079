"""From an encoder's name to its levels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from cpunet.training.network.blocks import (
    BlockStyle,
    BottleneckBlock,
    PreactivationBlock,
    ResidualBlock,
    convolution_block,
)
from cpunet.training.network.encoders.efficientnet_lite import EFFICIENTNET_LITE0
from cpunet.training.network.encoders.published import PublishedEncoder
from cpunet.training.network.encoders.resnet import RESNET18, RESNET50

PUBLISHED: dict[str, PublishedEncoder] = {
    "efficientnet_lite0": EFFICIENTNET_LITE0,
    "resnet18": RESNET18,
    "resnet50": RESNET50,
}
ENCODERS = ("plain", "residual", "bottleneck", "preactivation", *PUBLISHED)


def own_levels(name: str, in_channels: int, channels: Sequence[int], style: BlockStyle) -> list[nn.Module]:
    """Make the levels of an encoder that is not a published one.

    Parameters
    ----------
    name : str
        One of `ENCODERS`.
    in_channels : int
        Of the image.
    channels : sequence of int
        Features of the levels, finest first.
    style : BlockStyle

    Returns
    -------
    list of Module
        They keep the size; the network halves it between them. Each has two 3x3 convolutions.
    """
    pairs = zip((in_channels, *channels), channels, strict=False)
    return [_own_level(name, before, after, style, first=not level) for level, (before, after) in enumerate(pairs)]


def _own_level(name: str, before: int, after: int, style: BlockStyle, first: bool) -> nn.Module:
    if name == "residual":
        return ResidualBlock(before, after, style)
    if name == "bottleneck":  # two, since each has one 3x3 convolution
        return nn.Sequential(BottleneckBlock(before, after, style), BottleneckBlock(after, after, style))
    if name == "preactivation":
        return PreactivationBlock(before, after, style, first)
    return convolution_block(before, after, 2, style)
