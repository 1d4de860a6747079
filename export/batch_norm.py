"""Fold batch normalization into the convolutions before it, in double precision."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Return a copy of a network in which each batch normalization is part of the convolution before it.

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
        If a batch normalization does not follow a convolution, and so cannot be folded.

    Notes
    -----
    The exporter of torch would fold it too, but in single precision and with as many threads as there are, so that the
    last digit of a weight, and with it the file's sum, depends on the machine.
    """
    folded = copy.deepcopy(network).double().eval()
    for chain in [module for module in folded.modules() if isinstance(module, nn.Sequential)]:
        for place in range(len(chain) - 1):
            convolution, normalization = chain[place], chain[place + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d):
                chain[place] = fuse_conv_bn_eval(convolution, normalization)
                chain[place + 1] = nn.Identity()
    left = [name for name, module in folded.named_modules() if isinstance(module, nn.BatchNorm2d)]
    if left:
        raise ValueError(
            f"The batch normalizations {', '.join(left)} follow no convolution, so they cannot be folded into one. "
            "Build the network of the blocks in training/blocks.py."
        )
    return folded.float()
