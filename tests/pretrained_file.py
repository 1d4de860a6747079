"""Random weights of a published encoder, as a file of pretrained ones has them."""

import torch

from cpunet.training.network.blocks import BlockStyle
from cpunet.training.network.encoders.choose import PUBLISHED
from cpunet.training.network.encoders.published import convolutions_and_normalizations


def file_of(encoder, seed=0):
    """Make weights of all levels, by the names of their publication, with a classifier."""
    published = PUBLISHED[encoder]
    torch.manual_seed(seed)
    weights = {}
    for level, names in zip(published.levels(3, 2, BlockStyle()), published.names(), strict=True):
        for module, name in zip(convolutions_and_normalizations(level), names, strict=True):
            for part, value in module.state_dict().items():
                random = torch.rand_like(value) + 0.5 if value.is_floating_point() else value
                weights[f"{name}.{part}"] = random / value[0].numel() if value.ndim > 1 else random
    weights[f"{published.left_out[-1]}weight"] = torch.zeros(1000, 4)
    return weights
