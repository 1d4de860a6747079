"""What synthetic volumes look like: the ranges from which each draws its own numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cpunet.errors import ConfigError
from cpunet.training.volumes.synthetic.arrangements import ARRANGEMENTS, EMPTY

# Thinner than this many planes, a nucleus has no shape along z.
LEAST_PLANES = 3.0
SHORTEST_SIDES = (4, 32, 32)
# Without volumes of noise alone, a network took the noise of an empty well for one large nucleus.
EMPTY_WEIGHT = 0.5


@dataclass(frozen=True)
class VolumeRecipe:
    """Ranges from which each volume draws, and what all share.

    Attributes
    ----------
    shape : tuple of int
        Planes, rows and columns of each volume, (Z, Y, X).
    diameters_px : tuple of float
        The smallest and the largest typical diameter of the nuclei of a volume, in widths of a pixel.
    z_steps_px : tuple of float
        The smallest and the largest distance of planes over the width of a pixel. A nucleus has at least
        `LEAST_PLANES` planes, whatever the range says.
    outline_level : float
        Labels reach as far as a nucleus, blurred by the optics, has this share of its largest brightness: people
        outline what they see, which is longer along z than the nucleus is. 0 labels the nucleus itself, before the
        blur.
    arrangements : dict of str to float
        How often nuclei lie so: `cpunet.training.volumes.synthetic.arrangements`.

    Notes
    -----
    The default of `outline_level` brings labels near to those that people drew (`benchmarks/drawn_outlines.py` gives
    the brightness at both). The brightness that an image shows at an outline is higher than this level, since haze,
    neighbors and the texture add to it.
    """

    shape: tuple[int, int, int] = (40, 128, 128)
    diameters_px: tuple[float, float] = (13.0, 36.0)
    z_steps_px: tuple[float, float] = (1.0, 6.0)
    outline_level: float = 0.15
    arrangements: dict[str, float] = field(
        default_factory=lambda: {**dict.fromkeys(ARRANGEMENTS, 1.0), EMPTY: EMPTY_WEIGHT}
    )

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or any(side < least for side, least in zip(self.shape, SHORTEST_SIDES, strict=True)):
            raise ConfigError(f"A volume has at least {SHORTEST_SIDES} planes, rows and columns; got {self.shape}.")
        for name, least in (("diameters_px", 6.0), ("z_steps_px", 0.2)):
            low, high = getattr(self, name)
            if not (np.isfinite([low, high]).all() and least <= low <= high):
                raise ConfigError(f"{name} needs two numbers from {least} on, the smaller first; got {low} and {high}.")
        if not 0 <= self.outline_level < 1:
            raise ConfigError(f"The outline level lies from 0 to below 1; got {self.outline_level}.")
        unknown = sorted(self.arrangements.keys() - ARRANGEMENTS.keys())
        if unknown or not sum(self.arrangements.values()) > 0 or min(self.arrangements.values()) < 0:
            raise ConfigError(
                f"Arrangements are {', '.join(ARRANGEMENTS)}, each with a weight; got {self.arrangements}."
            )
