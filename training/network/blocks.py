"""The convolution blocks that the networks are built of."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class BlockStyle:
    """What all convolution blocks of a network have in common.

    Attributes
    ----------
    batch_normalization : bool
        Normalize after each convolution; without it the convolutions have a bias.
    padding : str
        ``zeros`` or ``reflect``: what stands beyond the image's frame.
    epsilon : float
        What batch normalization adds to the variance.
    """

    batch_normalization: bool = True
    padding: str = "zeros"
    epsilon: float = 1e-5


def normalized_convolution(
    in_channels: int, out_channels: int, kernel_size: int, style: BlockStyle, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """Make a convolution with its batch normalization.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int
        Odd.
    style : BlockStyle
    stride : int
        1 keeps the size; 2 halves an even one.
    groups : int
        As many as channels: each channel is convolved for itself.

    Returns
    -------
    list of Module
        One convolution, and one normalization if the style has it.

    Notes
    -----
    Ioffe, Szegedy: Batch normalization, ICML 2015, doi:10.48550/arXiv.1502.03167.
    """
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding=kernel_size // 2,
        groups=groups,
        padding_mode=style.padding if kernel_size > 1 else "zeros",  # else torch would copy the image to pad nothing
        bias=not style.batch_normalization,
    )
    return [convolution, nn.BatchNorm2d(out_channels, style.epsilon)] if style.batch_normalization else [convolution]


def convolution_block(in_channels: int, out_channels: int, convolutions: int, style: BlockStyle) -> nn.Sequential:
    """Chain 3x3 convolutions, each with its normalization and ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
    convolutions : int
        How many; 1 or more.
    style : BlockStyle

    Returns
    -------
    Sequential
        Turns (N, in_channels, Y, X) into (N, out_channels, Y, X).
    """
    layers: list[nn.Module] = []
    for channels in (in_channels, *[out_channels] * (convolutions - 1)):
        layers += [*normalized_convolution(channels, out_channels, 3, style), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to their input.

    Parameters
    ----------
    in_channels, out_channels : int
        Where they differ, a 1x1 convolution brings the input to the block's channels.
    style : BlockStyle
    stride : int
        2 halves the size, by the first convolution.

    Notes
    -----
    He, Zhang, Ren, Sun: Deep residual learning, CVPR 2016, doi:10.1109/CVPR.2016.90; the basic block, with projection
    shortcuts where the channels or the size change (option B of the paper).
    """

    def __init__(self, in_channels: int, out_channels: int, style: BlockStyle, stride: int = 1) -> None:
        super().__init__()
        self.convolutions = self._convolutions(in_channels, out_channels, style, stride)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels and stride == 1
            else nn.Sequential(*normalized_convolution(in_channels, out_channels, 1, style, stride))
        )
        self.activation = nn.ReLU(inplace=True)

    @staticmethod
    def _convolutions(in_channels: int, out_channels: int, style: BlockStyle, stride: int) -> nn.Sequential:
        """Chain what is added to the input; the last ReLU follows the sum."""
        return nn.Sequential(
            *normalized_convolution(in_channels, out_channels, 3, style, stride),
            nn.ReLU(inplace=True),
            *normalized_convolution(out_channels, out_channels, 3, style),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, in_channels, Y, X) into (N, out_channels, Y, X), or half of Y and X with a stride of 2."""
        result: Tensor = self.activation(self.convolutions(features) + self.shortcut(features))
        return result


class BottleneckBlock(ResidualBlock):
    """A 3x3 convolution of a quarter of the features, between two 1x1 convolutions; the result is added to the input.

    The parameters are those of `ResidualBlock`. With a stride of 2 the 3x3 convolution halves the size, as in
    torchvision.

    Notes
    -----
    He et al. 2016, as `ResidualBlock`; the bottleneck of the deeper networks.
    """

    @staticmethod
    def _convolutions(in_channels: int, out_channels: int, style: BlockStyle, stride: int) -> nn.Sequential:
        inner = bottleneck_channels(out_channels)
        return nn.Sequential(
            *normalized_convolution(in_channels, inner, 1, style),
            nn.ReLU(inplace=True),
            *normalized_convolution(inner, inner, 3, style, stride),
            nn.ReLU(inplace=True),
            *normalized_convolution(inner, out_channels, 1, style),
        )


def bottleneck_channels(out_channels: int) -> int:
    """Return how many features the 3x3 convolution of a bottleneck has."""
    return max(1, out_channels // 4)


class PreactivationBlock(nn.Module):
    """Two 3x3 convolutions, each after its normalization and ReLU, whose result is added to the input as it is.

    Parameters
    ----------
    in_channels, out_channels : int
        Where they differ, a 1x1 convolution brings the normalized input to the block's channels.
    style : BlockStyle
    first : bool
        Whether the input is the image, which is convolved as it is.

    Notes
    -----
    He, Zhang, Ren, Sun: Identity mappings in deep residual networks, ECCV 2016, doi:10.1007/978-3-319-46493-0_38.
    Nothing stands in the way of a feature from block to block, so that deep networks train more easily.
    """

    def __init__(self, in_channels: int, out_channels: int, style: BlockStyle, first: bool = False) -> None:
        super().__init__()
        normalization = [nn.BatchNorm2d(in_channels, style.epsilon)] if style.batch_normalization else []
        # Not in place: without normalization that would change what the shortcut adds.
        self.preactivation = nn.Identity() if first else nn.Sequential(*normalization, nn.ReLU())
        self.convolutions = nn.Sequential(
            *normalized_convolution(in_channels, out_channels, 3, style),
            nn.ReLU(inplace=True),
            plain_convolution(out_channels, out_channels, 3, style),
        )
        self.projection = (
            plain_convolution(in_channels, out_channels, 1, style) if in_channels != out_channels else None
        )

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, in_channels, Y, X) into (N, out_channels, Y, X)."""
        active = self.preactivation(features)
        kept = features if self.projection is None else self.projection(active)
        result: Tensor = kept + self.convolutions(active)
        return result


def plain_convolution(in_channels: int, out_channels: int, kernel_size: int, style: BlockStyle) -> nn.Module:
    """Make a convolution that keeps the size, without normalization; it has a bias if the style has none either."""
    return normalized_convolution(in_channels, out_channels, kernel_size, style)[0]
