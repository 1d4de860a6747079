"""A wider network that computes what a narrower one does, to go on training from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

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
    widths: dict[int, int] = {}
    for name, value in narrow.items():
        for old, new in zip(value.shape[:2], wide[name].shape[:2], strict=True):
            if new != old and widths.setdefault(old, new) != new:
                raise ConfigError(
                    f"start_from: levels of {old} features would get {widths[old]} and {new}. Choose max_channels so "
                    "that it grows in proportion to base_channels."
                )
    rng = np.random.default_rng(0)
    features = {old: _copies(old, new, rng) for old, new in widths.items()}
    network.load_state_dict({name: _wider(value, wide[name], features) for name, value in narrow.items()})
    return replace(start, network=network.eval(), config=replace(start.config, architecture=architecture))


def _copies(old: int, new: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return, for each of the new features, the old one that it copies and which part of it it stands for."""
    origin = np.concatenate([np.arange(old), rng.integers(old, size=new - old)])
    share = rng.uniform(SHARE_LOW, SHARE_HIGH, new)
    share /= np.bincount(origin, weights=share)[origin]
    return torch.from_numpy(origin), torch.from_numpy(share.astype(np.float32))


def _wider(value: Tensor, like: Tensor, features: Mapping[int, tuple[Tensor, Tensor]]) -> Tensor:
    if value.ndim and value.shape[0] != like.shape[0]:
        value = value[features[value.shape[0]][0]]
    if value.ndim > 1 and value.shape[1] != like.shape[1]:
        origin, share = features[value.shape[1]]
        value = value[:, origin] * share[:, None, None]
    return value
