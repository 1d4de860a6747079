"""What a model card says of each axis of an image, (Y, X), or of a volume, (Z, Y, X), in that order."""

from __future__ import annotations

from typing import Tuple

from cpunet.model.card import VOLUMES, InputCard, ModelCard

Sizes = Tuple[int, ...]


def units(given: InputCard) -> Sizes:
    """Return the numbers of planes and pixels of which each axis must be a multiple."""
    return _of_axes(given, given.divisible_by_planes, given.divisible_by)


def least_sizes(given: InputCard, planes: int = 1, side_px: int = 1) -> Sizes:
    """Return the smallest shape that a network takes and that is no smaller than given.

    Parameters
    ----------
    given : InputCard
    planes : int
        Of volumes, the smallest number of planes that is of use.
    side_px : int
        The smallest height and width that is of use, pixels.

    Returns
    -------
    tuple of int
        (Y, X) or (Z, Y, X), each a multiple of `units`.
    """
    sizes = _of_axes(given, max(planes, given.min_planes), max(side_px, given.min_size))
    return tuple(round_up(size, unit) for size, unit in zip(sizes, units(given)))


def halos(card: ModelCard) -> Sizes:
    """Return how many planes and pixels on each side of a tile are dropped, rounded up to multiples of `units`."""
    sizes = _of_axes(card.input, card.output.halo_planes, card.output.halo)
    return tuple(round_up(size, unit) for size, unit in zip(sizes, units(card.input)))


def round_up(size: int, unit: int) -> int:
    """Return the smallest multiple of `unit` that is `size` or more."""
    return -(-size // unit) * unit


def _of_axes(given: InputCard, of_planes: int, of_sides: int) -> Sizes:
    return (of_planes, of_sides, of_sides) if given.dimensions == VOLUMES else (of_sides, of_sides)
