"""The U-Net: the numbers and choices that make one, and the network itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cpunet.training.network.blocks import BlockStyle
from cpunet.training.network.decoders import (
    concatenating_decoder,
    decode_concatenating,
    decode_fpn,
    decode_unet,
    fpn_decoder,
    lateral_convolutions,
    unet_decoder,
)
from cpunet.training.network.encoders.choose import ENCODERS, PUBLISHED, own_levels
from cpunet.training.network.encoders.published import PublishedEncoder

DECODERS = ("unet", "concatenating", "fpn")
STEMS = ("full", "half")
PADDINGS = ("zeros", "reflect")
INITIALIZATIONS = ("he", "xavier")
DROPOUT_LEVELS = ("deepest", "all")
LARGEST_DEPTH = 6
# How small the output layer's weights are at first: so small that the first predictions are undecided.
HEAD_STD = 0.01


@dataclass(frozen=True)
class Architecture:
    """The numbers and choices that fix a network's shape.

    Attributes
    ----------
    base_channels : int
        Features at the finest resolution; they double at each level. A published encoder has its own; these are then
        those of the way up.
    depth : int
        How often the resolution is halved, 1 to 6, or to 4 in a published encoder; the stem's halving does not count.
    max_channels : int
        Where the doubling stops. Most weights of a U-Net lie in its deepest level, where round
        objects such as nuclei need few.
    decoder_convolutions : int
        3x3 convolutions a level on the way up; on the way down there are always two. One is a quarter
        faster than two.
    encoder : str
        ``plain``: convolutions one after the other; ``residual``: each pair is added to its input; ``bottleneck``:
        so is each 3x3 convolution between two 1x1 ones; ``preactivation``: as residual, with normalization and ReLU
        before the convolutions. Or a published one: ``efficientnet_lite0``, ``resnet18``, ``resnet50``.
    decoder : str
        ``unet``: from level to level, each with its own number of features, which the encoder's are added to;
        ``concatenating``: the encoder's are put beside them, as published; ``fpn``: a feature pyramid, with
        ``base_channels`` features at all levels, whose levels are added up.
    stem : str
        ``full``: the finest level has the image's resolution; ``half``: half of it. Of a published encoder it is the
        stride of the first convolution: 1, or 2 as published.
    batch_normalization : bool
    dropout : float
        Share of the features that a training step leaves out, 0 to below 1.
    dropout_levels : str
        ``deepest``: of the two deepest levels; ``all``: of each level, on the way down and up.
    padding : str
        ``zeros`` or ``reflect``: what the 3x3 convolutions see beyond the frame.
    initialization : str
        ``he`` or ``xavier``: the spread of the weights at first.

    Raises
    ------
    ValueError
        If a field has a value that cannot be; the message names it.
    """

    base_channels: int = 16
    depth: int = 4
    max_channels: int = 128
    decoder_convolutions: int = 1
    encoder: str = "plain"
    decoder: str = "unet"
    stem: str = "full"
    batch_normalization: bool = True
    dropout: float = 0.0
    dropout_levels: str = "deepest"
    padding: str = "zeros"
    initialization: str = "he"

    def __post_init__(self) -> None:
        for name in ("base_channels", "decoder_convolutions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: must be 1 or more; it is {getattr(self, name)}.")
        if not 1 <= self.depth <= LARGEST_DEPTH:
            raise ValueError(f"depth: must be 1 to {LARGEST_DEPTH}; it is {self.depth}.")
        if self.max_channels < self.base_channels:
            raise ValueError(
                f"max_channels: must not be smaller than base_channels, which is {self.base_channels}; it is "
                f"{self.max_channels}."
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: must be a share from 0 to below 1; it is {self.dropout}.")
        for name, choices in (
            ("encoder", ENCODERS),
            ("decoder", DECODERS),
            ("stem", STEMS),
            ("padding", PADDINGS),
            ("initialization", INITIALIZATIONS),
            ("dropout_levels", DROPOUT_LEVELS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: must be one of {', '.join(choices)}; it is {getattr(self, name)!r}.")
        published = PUBLISHED.get(self.encoder)
        if published is not None and self.depth >= len(published.channels):
            deepest = len(published.channels) - 1
            raise ValueError(f"depth: must be 1 to {deepest} with encoder {self.encoder!r}; it is {self.depth}.")

    @property
    def channels(self) -> tuple[int, ...]:
        """Features at each level of the way up, the finest resolution first; and of the way down, but if published."""
        return tuple(min(self.base_channels * 2**level, self.max_channels) for level in range(self.depth + 1))

    @property
    def divisible_by(self) -> int:
        """What height and width must be multiples of."""
        return 2**self.depth * (2 if self.stem == "half" else 1)

    @property
    def min_size(self) -> int:
        """Smallest height and width, pixels: a mirror of one pixel needs two at the deepest level, of two three."""
        if self.padding != "reflect":
            return self.divisible_by
        return self.divisible_by * (3 if self.encoder in PUBLISHED else 2)


class UNet(nn.Module):
    """A network that goes down to coarse resolutions and up again, with connections at each level.

    Parameters
    ----------
    architecture : Architecture
    in_channels, out_channels : int
        Channels of the image, and of the output.
    published : PublishedEncoder, optional
        Another form of the architecture's published encoder, such as one with few features.

    Notes
    -----
    Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28; what differs is told in
    `cpunet.training.network.decoders`. The stem ``half`` turns each 2x2 pixels into channels of one, and the output
    back (Shi et al.: sub-pixel convolution, CVPR 2016, doi:10.1109/CVPR.2016.207), so that all between works on a
    quarter of the pixels and no pixel of the image is lost. Dropout leaves out whole features (Tompson et al., CVPR
    2015, doi:10.1109/CVPR.2015.7298664), because neighboring pixels would give away a single one. Weights start as
    He et al., ICCV 2015, doi:10.1109/ICCV.2015.123, or as Glorot, Bengio: Understanding the difficulty of training
    deep feedforward neural networks, AISTATS 2010; biases at 0. Those of the output layer are small, so that the first
    predictions are undecided.
    """

    def __init__(
        self, architecture: Architecture, in_channels: int, out_channels: int, published: PublishedEncoder | None = None
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.in_channels = in_channels
        self.out_channels = out_channels
        channels = architecture.channels
        style = BlockStyle(architecture.batch_normalization, architecture.padding)
        half = architecture.stem == "half"
        published = published or PUBLISHED.get(architecture.encoder)
        if published is None:
            # Its levels keep the size.
            self.stem, self.pool = nn.PixelUnshuffle(2) if half else nn.Identity(), nn.MaxPool2d(2)
            levels = own_levels(architecture.encoder, in_channels * (4 if half else 1), channels, style)
            encoder_channels = channels
        else:
            self.stem, self.pool = nn.Identity(), nn.Identity()
            levels = published.levels(in_channels, 2 if half else 1, style)[: len(channels)]
            encoder_channels = published.channels[: len(channels)]
        self.encoder = nn.ModuleList(levels)
        self.dropout = nn.Dropout2d(architecture.dropout)
        everywhere = architecture.dropout_levels == "all"
        self.dropout_from_level = 0 if everywhere else max(1, architecture.depth - 1)
        self.dropout_on_the_way_up = self.dropout if everywhere else nn.Identity()
        convolutions = architecture.decoder_convolutions
        if architecture.decoder == "fpn":
            self.laterals, self.decoder = fpn_decoder(encoder_channels, channels[0], convolutions, style)
        elif architecture.decoder == "concatenating":
            self.upsampling, self.decoder = concatenating_decoder(encoder_channels, channels, convolutions, style)
        else:
            below = (*channels[:-1], encoder_channels[-1])
            self.upsampling, self.decoder = unet_decoder(below, convolutions, style)
            if published is not None:
                self.laterals = lateral_convolutions(encoder_channels, channels)
        self.head = nn.Conv2d(channels[0], out_channels * (4 if half else 1), kernel_size=1)
        self.to_image_size = nn.PixelShuffle(2) if half else nn.Identity()
        self.initialize()

    def initialize(self) -> None:
        """Give all convolutions new random weights."""
        spread: Callable[[Tensor], Tensor] = (
            nn.init.xavier_normal_ if self.architecture.initialization == "xavier" else he_normal
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                spread(module.weight)
            elif isinstance(module, nn.ConvTranspose2d):
                # Each output pixel has one weight of each input feature, which the first axis counts.
                with torch.no_grad():
                    for row, column in itertools.product(range(2), range(2)):
                        spread(module.weight[:, :, row : row + 1, column : column + 1].transpose(0, 1))
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.head.weight, std=HEAD_STD)
        if self.architecture.stem == "half":
            # The four pixels that one output becomes start alike: there is no checkerboard to unlearn
            # (Aitken et al. 2017, doi:10.48550/arXiv.1707.02937).
            with torch.no_grad():
                self.head.weight.copy_(self.head.weight[::4].repeat_interleave(4, dim=0))

    def forward(self, image: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        image : Tensor of shape (N, in_channels, Y, X), float32
            Normalized. Y and X must be multiples of ``architecture.divisible_by``, and at least
            ``architecture.min_size``.

        Returns
        -------
        Tensor of shape (N, out_channels, Y, X)
            Logits; `probabilities_of` makes them probabilities.
        """
        levels: list[Tensor] = []
        features = self.stem(image)
        for level, block in enumerate(self.encoder):
            features = block(self.pool(features) if level else features)
            if level >= self.dropout_from_level:
                features = self.dropout(features)
            levels.append(features)
        features = self._decode(levels)
        logits: Tensor = self.to_image_size(self.head(features))
        return logits

    def _decode(self, levels: list[Tensor]) -> Tensor:
        """Go up from the encoder's features, finest first, to those of the output."""
        dropout = self.dropout_on_the_way_up
        if self.architecture.decoder == "fpn":
            return decode_fpn(self.laterals, self.decoder, levels, dropout)
        if self.architecture.decoder == "concatenating":
            return decode_concatenating(self.upsampling, self.decoder, levels, dropout)
        if self.architecture.encoder in PUBLISHED:
            levels = [*(lateral(level) for lateral, level in zip(self.laterals, levels, strict=False)), levels[-1]]
        return decode_unet(self.upsampling, self.decoder, levels, dropout)


def he_normal(weight: Tensor) -> Tensor:
    """Fill weights in place with normal numbers of variance 2 / inputs, which ReLUs keep from fading."""
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


class Probabilities(nn.Module):
    """A network with its activation: what is exported, and what validation runs.

    Parameters
    ----------
    network : UNet
    activation : str
        ``sigmoid``, each channel for itself, or ``softmax`` over classes of which each pixel has one.
    sharpening : float
        The logits are multiplied by it: see `cpunet.training.network.losses.Loss.sharpening`.
    """

    def __init__(self, network: UNet, activation: str, sharpening: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.activation = activation
        self.sharpening = sharpening

    def forward(self, image: Tensor) -> Tensor:
        """Return probabilities, 0..1, of the logits' shape."""
        logits = self.network(image)
        return probabilities_of(logits if self.sharpening == 1 else logits * self.sharpening, self.activation)


def probabilities_of(logits: Tensor, activation: str) -> Tensor:
    """Turn logits (N, C, Y, X) into probabilities by ``sigmoid`` or ``softmax`` over the channels."""
    return torch.softmax(logits, dim=1) if activation == "softmax" else torch.sigmoid(logits)
