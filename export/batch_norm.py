"""Fold batch normalization into convolutions, in double precision."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# Of images, and of volumes.
BATCH_NORMS, CONVOLUTIONS = (nn.BatchNorm2d, nn.BatchNorm3d), (nn.Conv2d, nn.Conv3d)


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Return a copy of a network in which each batch normalization is part of a convolution.

    Parameters
    ----------
    network : Module
        In evaluation mode, on the CPU; not changed.

    Returns
    -------
    Module
        In evaluation mode, float32; computes the same up to rounding.

    Raises
    ------
    ValueError
        If a batch normalization stands outside the chains that networks are built of.

    Notes
    -----
    It becomes part of the convolution before it. Where there is none, as before the convolutions of
    `cpunet.training.network.blocks.PreactivationBlock`, it becomes a 1x1 convolution of each channel for itself, which
    int8 rounds like any other.

    The exporter of torch would fold it too, but in single precision and with as many threads as there are, so that the
    last digit of a weight, and with it the file's sum, depends on the machine.
    """
    folded = copy.deepcopy(network).double().eval()
    for chain in [module for module in folded.modules() if isinstance(module, nn.Sequential)]:
        for place, normalization in enumerate(chain):
            if not isinstance(normalization, BATCH_NORMS):
                continue
            before = chain[place - 1] if place else None
            if isinstance(before, CONVOLUTIONS):
                chain[place - 1] = fuse_conv_bn_eval(before, normalization)
                chain[place] = nn.Identity()
            else:
                chain[place] = fuse_conv_bn_eval(_unchanging(normalization), normalization)
    left = [name for name, module in folded.named_modules() if isinstance(module, BATCH_NORMS)]
    if left:
        raise ValueError(
            f"The batch normalizations {', '.join(left)} stand in no nn.Sequential, so they cannot be folded into a "
            "convolution. Build the network of the blocks in training/network/blocks.py."
        )
    return folded.float()


def _unchanging(normalization: nn.BatchNorm2d | nn.BatchNorm3d) -> nn.Conv2d | nn.Conv3d:
    """Make a convolution of one voxel, each channel for itself, that changes nothing, in double precision."""
    channels = normalization.num_features
    kind = nn.Conv3d if isinstance(normalization, nn.BatchNorm3d) else nn.Conv2d
    convolution = kind(channels, channels, kernel_size=1, groups=channels, bias=False)
    nn.init.ones_(convolution.weight)
    return convolution.double().eval()
