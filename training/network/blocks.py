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
    """

    batch_normalization: bool = True
    padding: str = "zeros"


def normalized_convolution(in_channels: int, out_channels: int, kernel_size: int, style: BlockStyle) -> list[nn.Module]:
    """Make a convolution that keeps the size, with its batch normalization.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int
        Odd.
    style : BlockStyle

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
        padding=kernel_size // 2,
        padding_mode=style.padding if kernel_size > 1 else "zeros",  # else torch would copy the image to pad nothing
        bias=not style.batch_normalization,
    )
    return [convolution, nn.BatchNorm2d(out_channels)] if style.batch_normalization else [convolution]


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

    Notes
    -----
    He, Zhang, Ren, Sun: Deep residual learning, CVPR 2016, doi:10.1109/CVPR.2016.90; the basic block, with projection
    shortcuts where the channels change (option B of the paper).
    """

    def __init__(self, in_channels: int, out_channels: int, style: BlockStyle) -> None:
        super().__init__()
        self.convolutions = convolution_block(in_channels, out_channels, 2, style)[:-1]  # the last ReLU follows the sum
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Sequential(*normalized_convolution(in_channels, out_channels, 1, style))
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """Turn (N, in_channels, Y, X) into (N, out_channels, Y, X)."""
        result: Tensor = self.activation(self.convolutions(features) + self.shortcut(features))
        return result
