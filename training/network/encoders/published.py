"""What all published encoders have in common: levels of a fixed shape, and the names of their weights in a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from torch import nn

from cpunet.training.network.blocks import BlockStyle

Encoder = TypeVar("Encoder", bound="PublishedEncoder")


@dataclass(frozen=True)
class PublishedEncoder(ABC):
    """An encoder whose features are those of a publication, so that weights that were trained elsewhere fit.

    Attributes
    ----------
    widths : tuple of int
        Features of its stages, in order.
    means, deviations : tuple of float
        By red, green and blue: what was taken from images with values of 0 to 1, and what they were divided by, where
        its weights were trained.
    left_out : tuple of str
        How the names begin of what a file of its weights holds beside the encoder: the classifier.
    """

    widths: tuple[int, ...]
    means: tuple[float, float, float]
    deviations: tuple[float, float, float]
    left_out: tuple[str, ...]

    @property
    @abstractmethod
    def channels(self) -> tuple[int, ...]:
        """Features at each level, the finest resolution first."""

    @abstractmethod
    def levels(self, in_channels: int, stride: int, style: BlockStyle) -> list[nn.Module]:
        """Make all levels; each after the first halves the size, and `stride` is that of the first convolution."""

    @abstractmethod
    def names(self) -> tuple[tuple[str, ...], ...]:
        """Name, by level, the convolutions and normalizations as a file of weights does, in the order of `levels`."""

    def with_one_feature(self: Encoder) -> Encoder:
        """Return an encoder of the same shape, but with as few features as there can be."""
        return replace(self, widths=(1,) * len(self.widths))


def convolutions_and_normalizations(level: nn.Module) -> Iterator[nn.Module]:
    """Yield those modules of a level that have weights, in the order in which they were made."""
    return (module for module in level.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)))
