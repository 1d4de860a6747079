"""A wider network that computes what a narrower one does, to go on training from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from cpunet.errors import ConfigError
from cpunet.training.network.unet import Architecture, UNet
from cpunet.training.weights import TrainedNetwork

WIDTH_FIELDS = ("base_channels", "max_channels")
# How unequally the copies of a feature share what it gave. Equal copies would get equal gradients, and stay equal.
SHARE_LOW, SHARE_HIGH = 0.5, 1.5


def widened(start: TrainedNetwork, architecture: Architecture) -> TrainedNetwork:
    """Return the same function of the image in a network with more features a level.

    Parameters
    ----------
    start : TrainedNetwork
    architecture : Architecture
        That of `start`, but for a larger `base_channels` or `max_channels`.

    Raises
    ------
    ConfigError
        If two levels of one width would get two widths.

    Notes
    -----
    Each new feature is a copy of an old one, drawn at random, always the same. What reads the old one reads all its
    copies, by parts that add up to one. Net2WiderNet: Chen et al. 2016, doi:10.48550/arXiv.1511.05641.
    """
    network = UNet(architecture, start.network.in_channels, len(start.config.targets.roles))
    narrow, wide = start.network.state_dict(), network.state_dict()
    if narrow.keys() != wide.keys():
        raise ConfigError(
            "start_from: levels of one width would get two, and other blocks between them. Choose max_channels so that "
            "it grows in proportion to base_channels."
        )
    widths: dict[int, int] = {}
    for name, value in narrow.items():
        for old, new in zip(_counts(name, value, start.network), _counts(name, wide[name], network), strict=True):
            if new != old and widths.setdefault(old, new) != new:
                raise ConfigError(
                    f"start_from: levels of {old} features would get {widths[old]} and {new}. Choose max_channels so "
                    "that it grows in proportion to base_channels."
                )
    rng = np.random.default_rng(0)
    features = {old: _copies(old, new, rng) for old, new in widths.items()}
    widened_weights = {}
    for name, value in narrow.items():
        counts, wanted = _counts(name, value, start.network), _counts(name, wide[name], network)
        if name in _transposed(network):
            value = value.transpose(0, 1)
        value = _wider(value, counts, wanted, features)
        widened_weights[name] = value.transpose(0, 1) if name in _transposed(network) else value
    network.load_state_dict(widened_weights)
    return replace(start, network=network.eval(), config=replace(start.config, architecture=architecture))


def _transposed(network: UNet) -> set[str]:
    """Name the weights whose first axis counts the input features."""
    return {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, nn.ConvTranspose2d)}


def _counts(name: str, value: Tensor, network: UNet) -> tuple[int, ...]:
    """Return the features that a tensor gives, and those that it reads, source by source.

    A convolution behind a concatenation reads the encoder's features first, then those from below.
    """
    if name in _transposed(network):
        return value.shape[1], value.shape[0]
    counts = tuple(value.shape[:2])
    place = re.fullmatch(r"decoder\.(\d+)\.0\.weight", name)
    if network.architecture.decoder == "concatenating" and place:
        below = network.upsampling[int(place[1])].out_channels
        return counts[0], counts[1] - below, below
    return counts


def _copies(old: int, new: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return, for each of the new features, the old one that it copies and which part of it it stands for."""
    origin = np.concatenate([np.arange(old), rng.integers(old, size=new - old)])
    share = rng.uniform(SHARE_LOW, SHARE_HIGH, new)
    share /= np.bincount(origin, weights=share)[origin]
    return torch.from_numpy(origin), torch.from_numpy(share.astype(np.float32))


def _wider(
    value: Tensor, counts: Sequence[int], wanted: Sequence[int], features: Mapping[int, tuple[Tensor, Tensor]]
) -> Tensor:
    """Copy what a tensor gives, and share what it reads; the features that it gives lie along its first axis."""
    if not counts:
        return value
    if counts[0] != wanted[0]:
        value = value[features[counts[0]][0]]
    parts = list(value.split(list(counts[1:]), dim=1)) if len(counts) > 1 else []
    for place, (old, new) in enumerate(zip(counts[1:], wanted[1:], strict=True)):
        if old != new:
            origin, share = features[old]
            parts[place] = parts[place][:, origin] * share[:, None, None]
    return torch.cat(parts, dim=1) if parts else value
