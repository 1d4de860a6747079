"""The U-Net: the numbers and choices that make one, and the network itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cpunet.training.network.blocks import BlockStyle, ResidualBlock, convolution_block
from cpunet.training.network.decoders import decode_fpn, decode_unet, fpn_decoder, unet_decoder

ENCODERS = ("plain", "residual")
DECODERS = ("unet", "fpn")
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
        Features at the finest resolution; they double at each level.
    depth : int
        How often the resolution is halved, 1 to 6; the stem's halving does not count.
    max_channels : int
        Where the doubling stops. Most weights of a U-Net lie in its deepest level, where round
        objects such as nuclei need few.
    decoder_convolutions : int
        3x3 convolutions a level on the way up; on the way down there are always two. One is a quarter
        faster than two.
    encoder : str
        ``plain``: convolutions one after the other; ``residual``: each pair is added to its input.
    decoder : str
        ``unet``: from level to level, each with its own number of features; ``fpn``: a feature pyramid, with
        ``base_channels`` features at all levels, whose levels are added up.
    stem : str
        ``full``: the finest level has the image's resolution; ``half``: half of it.
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

    @property
    def channels(self) -> tuple[int, ...]:
        """Features at each level, the finest resolution first."""
        return tuple(min(self.base_channels * 2**level, self.max_channels) for level in range(self.depth + 1))

    @property
    def divisible_by(self) -> int:
        """What height and width must be multiples of."""
        return 2**self.depth * (2 if self.stem == "half" else 1)

    @property
    def min_size(self) -> int:
        """Smallest height and width, pixels: a mirror needs two pixels, also at the deepest level."""
        return self.divisible_by * (2 if self.padding == "reflect" else 1)


class UNet(nn.Module):
    """A network that goes down to coarse resolutions and up again, with connections at each level.

    Parameters
    ----------
    architecture : Architecture
    in_channels, out_channels : int
        Channels of the image, and of the output.

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

    def __init__(self, architecture: Architecture, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.in_channels = in_channels
        self.out_channels = out_channels
        channels = architecture.channels
        style = BlockStyle(architecture.batch_normalization, architecture.padding)
        half = architecture.stem == "half"
        self.stem = nn.PixelUnshuffle(2) if half else nn.Identity()
        self.encoder = nn.ModuleList(
            ResidualBlock(before, after, style)
            if architecture.encoder == "residual"
            else convolution_block(before, after, 2, style)
            for before, after in zip((in_channels * (4 if half else 1), *channels), channels, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout2d(architecture.dropout)
        everywhere = architecture.dropout_levels == "all"
        self.dropout_from_level = 0 if everywhere else max(1, architecture.depth - 1)
        self.dropout_on_the_way_up = self.dropout if everywhere else nn.Identity()
        if architecture.decoder == "fpn":
            self.laterals, self.decoder = fpn_decoder(channels, architecture.decoder_convolutions, style)
        else:
            self.upsampling, self.decoder = unet_decoder(channels, architecture.decoder_convolutions, style)
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
                if module.bias is not None:
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
        if self.architecture.decoder == "fpn":
            features = decode_fpn(self.laterals, self.decoder, levels, self.dropout_on_the_way_up)
        else:
            features = decode_unet(self.upsampling, self.decoder, levels, self.dropout_on_the_way_up)
        logits: Tensor = self.to_image_size(self.head(features))
        return logits


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
