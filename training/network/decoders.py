"""The ways up, from features at all resolutions to features at the finest: U-Nets and feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from cpunet.training.network.blocks import BlockStyle, convolution_block


def unet_decoder(channels: Sequence[int], convolutions: int, style: BlockStyle) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Make the upward path of a U-Net whose skip connections are added.

    Parameters
    ----------
    channels : sequence of int
        Features of the encoder's levels, finest first.
    convolutions : int
        3x3 convolutions a level.
    style : BlockStyle

    Returns
    -------
    upsampling, blocks : ModuleList
        What brings the features to the next finer level, and the convolutions there; deepest first.

    Notes
    -----
    Adding the skips (Chaurasia, Culurciello: LinkNet, VCIP 2017, doi:10.1109/VCIP.2017.8305148) halves the input of
    the first convolution of each block, which is the dearest of the network. Features go up by a 1x1 convolution and
    a repetition of pixels (Odena et al. 2016, doi:10.23915/distill.00003): a transposed convolution leaves
    checkerboards, and takes onnxruntime on a CPU a quarter of the whole network's time.
    """
    upward = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
    upsampling = nn.ModuleList(
        nn.Sequential(nn.Conv2d(deep, shallow, kernel_size=1), nn.Upsample(scale_factor=2, mode="nearest"))
        for deep, shallow in upward
    )
    blocks = nn.ModuleList(convolution_block(shallow, shallow, convolutions, style) for _, shallow in upward)
    return upsampling, blocks


def decode_unet(
    upsampling: nn.ModuleList, blocks: nn.ModuleList, levels: Sequence[Tensor], dropout: nn.Module
) -> Tensor:
    """Go up from the deepest level, adding each finer one on the way.

    Parameters
    ----------
    upsampling, blocks : ModuleList
        Of `unet_decoder`.
    levels : sequence of Tensor
        The encoder's features, finest first; each of half the size of the one before.
    dropout : Module
        Leaves out features after each level's convolutions, or none.

    Returns
    -------
    Tensor
        Of the finest level's shape.
    """
    features = levels[-1]
    for upsample, block, skip in zip(upsampling, blocks, levels[-2::-1], strict=True):
        features = dropout(block(upsample(features) + skip))
    return features


def lateral_convolutions(encoder_channels: Sequence[int], channels: Sequence[int]) -> nn.ModuleList:
    """Make the 1x1 convolutions that bring an encoder's levels to as many features as the decoder has.

    Parameters
    ----------
    encoder_channels, channels : sequence of int
        Features of the encoder's and of the decoder's levels, finest first.

    Returns
    -------
    ModuleList
        One a level but the deepest, which goes up by a 1x1 convolution anyway; finest first.
    """
    pairs = zip(encoder_channels[:-1], channels[:-1], strict=True)
    return nn.ModuleList(nn.Conv2d(found, wanted, kernel_size=1) for found, wanted in pairs)


def concatenating_decoder(
    encoder_channels: Sequence[int], channels: Sequence[int], convolutions: int, style: BlockStyle
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Make the upward path of the U-Net as published: features of each level are put beside those from below.

    Parameters
    ----------
    encoder_channels, channels : sequence of int
        Features of the encoder's and of the decoder's levels, finest first.
    convolutions : int
        3x3 convolutions a level; 2 in the paper.
    style : BlockStyle

    Returns
    -------
    upsampling, blocks : ModuleList
        The transposed 2x2 convolutions that bring features to the next finer level, and the convolutions there;
        deepest first.

    Notes
    -----
    Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, doi:10.1007/978-3-319-24574-4_28. The paper cuts off what borders
    reach; here they are padded, so that the output has the size of the image.
    """
    below = (*channels[:-1], encoder_channels[-1])
    upward = list(zip(below[:0:-1], encoder_channels[-2::-1], channels[-2::-1], strict=True))
    upsampling = nn.ModuleList(
        nn.ConvTranspose2d(deep, shallow, kernel_size=2, stride=2) for deep, _, shallow in upward
    )
    blocks = nn.ModuleList(
        convolution_block(skip + shallow, shallow, convolutions, style) for _, skip, shallow in upward
    )
    return upsampling, blocks


def decode_concatenating(
    upsampling: nn.ModuleList, blocks: nn.ModuleList, levels: Sequence[Tensor], dropout: nn.Module
) -> Tensor:
    """Go up from the deepest level, putting each finer one beside what comes from below.

    The parameters are those of `decode_unet`, with the modules of `concatenating_decoder`.
    """
    features = levels[-1]
    for upsample, block, skip in zip(upsampling, blocks, levels[-2::-1], strict=True):
        features = dropout(block(torch.cat([skip, upsample(features)], dim=1)))
    return features


def fpn_decoder(
    encoder_channels: Sequence[int], width: int, convolutions: int, style: BlockStyle
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Make a feature pyramid, all of whose levels have the same number of features.

    Parameters
    ----------
    encoder_channels : sequence of int
        Features of the encoder's levels, finest first.
    width : int
        Features of each level of the pyramid.
    convolutions : int
        3x3 convolutions a level.
    style : BlockStyle

    Returns
    -------
    laterals, blocks : ModuleList
        The 1x1 convolutions that bring the encoder's levels to the common number of features, and the convolutions
        of each level of the pyramid; deepest first.

    Notes
    -----
    Lin et al.: Feature pyramid networks, CVPR 2017, doi:10.1109/CVPR.2017.106; merged for one output as in Kirillov
    et al.: Panoptic feature pyramid networks, CVPR 2019, doi:10.1109/CVPR.2019.00656.
    """
    laterals = nn.ModuleList(nn.Conv2d(found, width, kernel_size=1) for found in encoder_channels[::-1])
    blocks = nn.ModuleList(convolution_block(width, width, convolutions, style) for _ in encoder_channels)
    return laterals, blocks


def decode_fpn(laterals: nn.ModuleList, blocks: nn.ModuleList, levels: Sequence[Tensor], dropout: nn.Module) -> Tensor:
    """Build the pyramid from the top, bring each of its levels to the finest resolution, and add them up.

    Parameters
    ----------
    laterals, blocks : ModuleList
        Of `fpn_decoder`.
    levels : sequence of Tensor
        The encoder's features, finest first; each of half the size of the one before.
    dropout : Module
        Leaves out features after each level's convolutions, or none.

    Returns
    -------
    Tensor
        Of the finest level's size.
    """
    pyramid = laterals[0](levels[-1])
    merged: Tensor = dropout(blocks[0](pyramid))
    for lateral, block, level in zip(laterals[1:], blocks[1:], levels[-2::-1], strict=True):
        pyramid = lateral(level) + interpolate(pyramid, scale_factor=2.0, mode="nearest")
        # Interpolation is linear: doubling the sum so far is the same as doubling each level for itself, and cheaper.
        merged = dropout(block(pyramid)) + interpolate(merged, scale_factor=2.0, mode="bilinear", align_corners=False)
    return merged
