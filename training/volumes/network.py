"""The 3-D U-Net: the numbers that make one, and the network itself."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cpunet.training.network.summary import in_short, kept_bytes
from cpunet.training.network.unet import HEAD_STD, LARGEST_DEPTH, he_normal

# Planes lie clearly further apart than pixels where a voxel is more than so many times as long as it is wide.
ISOTROPIC_RATIO = 2.0
KERNEL_PX = 3


@dataclass(frozen=True)
class VolumeArchitecture:
    """The numbers that fix the shape of a 3-D U-Net.

    Attributes
    ----------
    base_channels : int
        Features at the finest resolution; they double at each level.
    depth : int
        How often the resolution in the plane is halved, 1 to 6.
    max_channels : int
        Where the doubling stops.
    flat_levels : int
        At so many of the finest levels, 0 to `depth`, kernels are 1x3x3 and planes are not pooled; at the others
        kernels are 3x3x3. -1: chosen from the distance of the planes, see `flat_levels_for`.
    decoder_convolutions : int
        Convolutions a level on the way up; on the way down there are always two.
    batch_normalization : bool
    dropout : float
        Share of the features of the two deepest levels that a training step leaves out, 0 to below 1.

    Raises
    ------
    ValueError
        If a field has a value that cannot be; the message names it.
    """

    base_channels: int = 16
    depth: int = 4
    max_channels: int = 128
    flat_levels: int = -1
    decoder_convolutions: int = 1
    batch_normalization: bool = True
    dropout: float = 0.0

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
        if not -1 <= self.flat_levels <= self.depth:
            raise ValueError(
                f"flat_levels: must be 0 to the depth, which is {self.depth}, or -1 to choose it from the distance of "
                f"the planes; it is {self.flat_levels}."
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: must be a share from 0 to below 1; it is {self.dropout}.")

    @property
    def channels(self) -> tuple[int, ...]:
        """Features at each level, the finest resolution first."""
        return tuple(min(self.base_channels * 2**level, self.max_channels) for level in range(self.depth + 1))

    @property
    def divisible_by(self) -> int:
        """What height and width must be multiples of."""
        return 2**self.depth

    @property
    def divisible_by_planes(self) -> int:
        """What the number of planes must be a multiple of."""
        return 2 ** (self.depth - max(self.flat_levels, 0))

    @property
    def min_size(self) -> int:
        """Smallest height and width, pixels."""
        return self.divisible_by

    @property
    def min_planes(self) -> int:
        """Smallest number of planes."""
        return self.divisible_by_planes

    @property
    def receptive_field(self) -> tuple[int, int]:
        """Planes, and height and width, of the largest piece of a volume that one output voxel can depend on."""
        return tuple(self._field(levels) for levels in (self.depth - max(self.flat_levels, 0), self.depth))

    def _field(self, levels: int) -> int:
        """Return the receptive field along an axis that is halved so often, for the worst place within a pooled box."""
        width = 1
        for _ in range(levels):
            width = (width + 2 * self.decoder_convolutions) // 2 + 1
        for _ in range(levels):
            width = 2 * (width + 4)
        return width + 4


def flat_levels_for(z_step_px: float, depth: int) -> int:
    """Choose at how many levels planes are treated one by one: until a voxel is about as long as it is wide.

    Parameters
    ----------
    z_step_px : float
        Distance of two planes over the width of a pixel.
    depth : int
        Of the network, which is the most that is returned.

    Notes
    -----
    Each level halves the resolution in the plane alone while a voxel is more than twice as long as it is wide, as in
    nnU-Net (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z).

    Examples
    --------
    >>> [flat_levels_for(z_step_px, 4) for z_step_px in (1.0, 2.0, 2.2, 5.0, 1000.0)]
    [0, 0, 1, 2, 4]
    """
    levels = 0
    while levels < depth and z_step_px / 2**levels > ISOTROPIC_RATIO:
        levels += 1
    return levels


def convolutions(
    in_channels: int, out_channels: int, number: int, flat: bool, batch_normalization: bool
) -> nn.Sequential:
    """Chain convolutions, each with its normalization and ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
    number : int
        How many; 1 or more.
    flat : bool
        Whether kernels are 1x3x3 instead of 3x3x3.
    batch_normalization : bool
        Without it the convolutions have a bias.

    Returns
    -------
    Sequential
        Turns (N, in_channels, Z, Y, X) into (N, out_channels, Z, Y, X).
    """
    planes = 1 if flat else KERNEL_PX
    layers: list[nn.Module] = []
    for channels in (in_channels, *[out_channels] * (number - 1)):
        layers.append(
            nn.Conv3d(
                channels,
                out_channels,
                (planes, KERNEL_PX, KERNEL_PX),
                padding=(planes // 2, KERNEL_PX // 2, KERNEL_PX // 2),
                bias=not batch_normalization,
            )
        )
        if batch_normalization:
            layers.append(nn.BatchNorm3d(out_channels))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class VolumeUNet(nn.Module):
    """A U-Net of volumes, in which planes that lie far apart are treated one by one at the finest levels.

    Parameters
    ----------
    architecture : VolumeArchitecture
        With `flat_levels` chosen.
    in_channels, out_channels : int
        Channels of the volume, and of the output.

    Notes
    -----
    Çiçek et al.: 3D U-Net, MICCAI 2016, doi:10.1007/978-3-319-46723-8_49. The features of the way down are added to
    those of the way up, as in the 2-D network here, which is faster than putting them side by side. Kernels and
    pooling that follow the shape of a voxel: Isensee et al. 2021, doi:10.1038/s41592-020-01008-z. Weights start as in
    the 2-D network (`cpunet.training.network.unet.UNet`).
    """

    def __init__(self, architecture: VolumeArchitecture, in_channels: int, out_channels: int) -> None:
        super().__init__()
        if architecture.flat_levels < 0:
            raise ValueError("flat_levels: must be chosen before the network is built.")
        self.architecture = architecture
        self.in_channels = in_channels
        self.out_channels = out_channels
        channels, normalized = architecture.channels, architecture.batch_normalization
        flat = [level < architecture.flat_levels for level in range(architecture.depth + 1)]
        strides = [(1, 2, 2) if each else (2, 2, 2) for each in flat[:-1]]
        before = (in_channels, *channels[:-1])
        self.encoder = nn.ModuleList(
            convolutions(*ends, 2, each, normalized) for *ends, each in zip(before, channels, flat, strict=True)
        )
        self.pools = nn.ModuleList(nn.MaxPool3d(stride) for stride in strides)
        self.upsampling = nn.ModuleList(
            nn.ConvTranspose3d(below, above, stride, stride)
            for below, above, stride in zip(channels[1:], channels[:-1], strides, strict=True)
        )
        self.decoder = nn.ModuleList(
            convolutions(each, each, architecture.decoder_convolutions, is_flat, normalized)
            for each, is_flat in zip(channels[:-1], flat[:-1], strict=True)
        )
        self.dropout = nn.Dropout3d(architecture.dropout)
        self.dropout_from_level = max(1, architecture.depth - 1)
        self.head = nn.Conv3d(channels[0], out_channels, kernel_size=1)
        self.initialize()

    def initialize(self) -> None:
        """Give all convolutions new random weights."""
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                he_normal(module.weight)
            elif isinstance(module, nn.ConvTranspose3d):
                # Each output voxel has one weight of each input feature, which the first axis counts.
                with torch.no_grad():
                    module.weight.normal_(std=(2 / module.in_channels) ** 0.5)
            if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)) and module.bias is not None:
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.head.weight, std=HEAD_STD)

    def forward(self, volume: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        volume : Tensor of shape (N, in_channels, Z, Y, X), float32
            Normalized. Y and X must be multiples of ``architecture.divisible_by``, Z of
            ``architecture.divisible_by_planes``.

        Returns
        -------
        Tensor of shape (N, out_channels, Z, Y, X)
            Logits; `cpunet.training.network.unet.probabilities_of` makes them probabilities.
        """
        levels: list[Tensor] = []
        features = volume
        for level, block in enumerate(self.encoder):
            features = block(self.pools[level - 1](features) if level else features)
            if level >= self.dropout_from_level:
                features = self.dropout(features)
            levels.append(features)
        for level in reversed(range(len(self.decoder))):
            features = self.decoder[level](levels[level] + self.upsampling[level](features))
        logits: Tensor = self.head(features)
        return logits


@dataclass(frozen=True)
class VolumeNetworkSummary:
    """What a network of volumes costs and sees.

    Attributes
    ----------
    patch : tuple of int
        Planes, height and width of the patch that the costs are for.
    parameters : int
    macs_per_patch : int
        Multiply-accumulates of all convolutions for one patch.
    receptive_field : tuple of int
        See `VolumeArchitecture.receptive_field`.
    activation_bytes_per_patch : int
        What a training step keeps of each patch for the backward pass.
    """

    patch: tuple[int, int, int]
    parameters: int
    macs_per_patch: int
    receptive_field: tuple[int, int]
    activation_bytes_per_patch: int

    def __str__(self) -> str:
        planes, side = self.receptive_field
        return (
            f"{in_short(self.parameters)} parameters, {in_short(self.macs_per_patch)} multiply-accumulates for a patch "
            f"of {'x'.join(map(str, self.patch))} voxels, receptive field {planes} planes of {side} pixels, "
            f"{in_short(self.activation_bytes_per_patch, 'B')} of memory a patch in training"
        )


def summarize_volumes(network: VolumeUNet, patch: tuple[int, int, int], precision: str) -> VolumeNetworkSummary:
    """Count and measure a network, which stays as it is.

    Parameters
    ----------
    network : VolumeUNet
    patch : tuple of int
        Planes, height and width of a patch.
    precision : str
        lightning's word.
    """
    architecture = network.architecture
    with torch.random.fork_rng(devices=[]):
        copy = deepcopy(network).cpu().train()
        smallest = (2 * architecture.min_planes, 2 * architecture.min_size, 2 * architecture.min_size)
        shape = network.in_channels, *smallest
        kept = kept_bytes(copy, (2, *shape), precision) - kept_bytes(copy, (1, *shape), precision)
        shapes_only = copy.to("meta")
        with FlopCounterMode(display=False) as counter:
            shapes_only(torch.empty(1, network.in_channels, *patch, device="meta"))
    return VolumeNetworkSummary(
        patch=patch,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        macs_per_patch=counter.get_total_flops() // 2,
        receptive_field=architecture.receptive_field,
        activation_bytes_per_patch=round(kept * math.prod(patch) / math.prod(smallest)),
    )
