"""ResNet-18 and ResNet-50, laid out so that the weights of torchvision fit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from cpunet.training.network.blocks import BlockStyle, BottleneckBlock, ResidualBlock, normalized_convolution
from cpunet.training.network.encoders.published import PublishedEncoder


@dataclass(frozen=True)
class ResNet(PublishedEncoder):
    """A residual network without its classifier.

    Attributes
    ----------
    blocks : tuple of int
        How many blocks each stage after the first convolution has.
    block : type
        `ResidualBlock` or `BottleneckBlock`.

    Notes
    -----
    He, Zhang, Ren, Sun: Deep residual learning, CVPR 2016, doi:10.1109/CVPR.2016.90; as in torchvision, where the 3x3
    convolution of a bottleneck halves the size.
    """

    blocks: tuple[int, ...]
    block: type[ResidualBlock]

    @property
    def channels(self) -> tuple[int, ...]:
        """Features at each level, the finest resolution first."""
        return self.widths

    def levels(self, in_channels: int, stride: int, style: BlockStyle) -> list[nn.Module]:
        """Make all levels."""
        before = self.widths[0]
        stem = [*normalized_convolution(in_channels, before, 7, style, stride), nn.ReLU(inplace=True)]
        levels: list[nn.Module] = [nn.Sequential(*stem)]
        for stage, (count, width) in enumerate(zip(self.blocks, self.widths[1:], strict=True)):
            layers: list[nn.Module] = [] if stage else [nn.MaxPool2d(3, stride=2, padding=1)]
            for number in range(count):
                layers.append(self.block(before, width, style, 1 if number or not stage else 2))
                before = width
            levels.append(nn.Sequential(*layers))
        return levels

    def names(self) -> tuple[tuple[str, ...], ...]:
        """Name the layers as torchvision's weights do."""
        convolutions = 3 if self.block is BottleneckBlock else 2
        names: list[tuple[str, ...]] = [("conv1", "bn1")]
        before = self.widths[0]
        for stage, (count, width) in enumerate(zip(self.blocks, self.widths[1:], strict=True)):
            level: list[str] = []
            for number in range(count):
                parts = [f"{kind}{place}" for place in range(1, convolutions + 1) for kind in ("conv", "bn")]
                if number == 0 and (stage or before != width):
                    parts += ["downsample.0", "downsample.1"]
                level += [f"layer{stage + 1}.{number}.{part}" for part in parts]
            names.append(tuple(level))
            before = width
        return tuple(names)


# What torchvision takes from images, and divides them by.
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSIFIER = ("fc.",)
RESNET18 = ResNet((64, 64, 128, 256, 512), MEANS, DEVIATIONS, CLASSIFIER, blocks=(2, 2, 2, 2), block=ResidualBlock)
RESNET50 = ResNet((64, 256, 512, 1024, 2048), MEANS, DEVIATIONS, CLASSIFIER, blocks=(3, 4, 6, 3), block=BottleneckBlock)
