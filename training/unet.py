"""The U-Net: its blocks, its two paths, and what it can say of its size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Architecture:
    """The numbers that fix a network's shape.

    Attributes
    ----------
    in_channels, out_channels : int
        Channels of the image, and of the output.
    base_channels : int
        Features at full resolution; they double at each level.
    depth : int
        How often the resolution is halved.
    max_channels : int
        Where the doubling stops. Most weights of a U-Net lie in its deepest level, where round
        objects such as nuclei need few.
    decoder_convolutions : int
        3x3 convolutions a level on the way up; on the way down there are always two. One is a quarter
        faster than two.
    """

    in_channels: int = 1
    out_channels: int = 3
    base_channels: int = 16
    depth: int = 4
    max_channels: int = 128
    decoder_convolutions: int = 1

    @property
    def channels(self) -> tuple[int, ...]:
        """Features at each level, full resolution first."""
        return tuple(min(self.base_channels * 2**level, self.max_channels) for level in range(self.depth + 1))

    @property
    def divisible_by(self) -> int:
        """What height and width must be multiples of."""
        return 2**self.depth


def convolution_block(in_channels: int, out_channels: int, convolutions: int) -> nn.Sequential:
    """Chain 3x3 convolutions, each with batch normalisation and ReLU; zero padding keeps the size."""
    layers: list[nn.Module] = []
    for channels in (in_channels, *[out_channels] * (convolutions - 1)):
        layers += [
            nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """A U-Net whose skip connections are added instead of concatenated.

    Parameters
    ----------
    architecture : Architecture

    Notes
    -----
    Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28. Adding the skips
    (Chaurasia, Culurciello: LinkNet, VCIP 2017, doi:10.1109/VCIP.2017.8305148) halves the input of the
    first convolution of each upward block, which is the dearest of the network. Features go up by a 1x1
    convolution and a repetition of pixels (Odena et al. 2016, doi:10.23915/distill.00003): a transposed convolution
    leaves checkerboards, and takes onnxruntime on a CPU a quarter of the whole network's time.
    Weights start as He et al. 2015, doi:10.1109/ICCV.2015.123.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        channels = architecture.channels
        self.encoder = nn.ModuleList(
            convolution_block(before, after, 2)
            for before, after in zip((architecture.in_channels, *channels), channels, strict=False)
        )
        upward = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.upsampling = nn.ModuleList(
            nn.Sequential(nn.Conv2d(deep, shallow, kernel_size=1), nn.Upsample(scale_factor=2, mode="nearest"))
            for deep, shallow in upward
        )
        self.decoder = nn.ModuleList(
            convolution_block(shallow, shallow, architecture.decoder_convolutions) for _, shallow in upward
        )
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(channels[0], architecture.out_channels, kernel_size=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module is not self.head:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        image : Tensor of shape (N, C, Y, X), float32
            Normalised. Y and X must be multiples of ``architecture.divisible_by``.

        Returns
        -------
        Tensor of shape (N, out_channels, Y, X)
            Logits; a sigmoid makes them probabilities.
        """
        skips = []
        features = image
        for level, block in enumerate(self.encoder):
            features = block(self.pool(features) if level else features)
            skips.append(features)
        for upsample, block, skip in zip(self.upsampling, self.decoder, skips[-2::-1], strict=True):
            features = block(upsample(features) + skip)
        logits: Tensor = self.head(features)
        return logits


class Probabilities(nn.Module):
    """A network with its activation: what is exported, and what validation runs.

    Parameters
    ----------
    network : UNet
    """

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Return probabilities, 0..1, of the logits' shape."""
        return torch.sigmoid(self.network(image))
