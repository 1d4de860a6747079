"""Measure the halo that the tiles of a network of volumes need: planes along Z, pixels along Y and X."""

from __future__ import annotations

import itertools
from typing import Any, List, NamedTuple, Tuple

import numpy as np

from cpunet.checks.halo import COARSENESSES_PX, CUT_NOTICEABLE, NOTICEABLE, noise_field, reach_along_axes
from cpunet.checks.synthetic_volume import synthetic_volume
from cpunet.model.axes import least_sizes, round_up, units
from cpunet.model.card import InputCard
from cpunet.steps.tiling import Predict

# The impulse is tried in a small field first, and in larger ones while it is noticed at their edge: a network of
# volumes computes a hundred times as much for a voxel as one of images for a pixel.
FIRST_FIELD, LARGEST_FIELD = (12, 64), (48, 160)
# A tile of synthetic nuclei is compared with the whole volume: diameters, planes and side of its inner part.
DIAMETERS_PX, INNER_PLANES, INNER_PX = (12.0, 24.0), 8, 32
# So many volumes of each kind are cut: the inner part is small, and not each cut meets what reaches far.
VOLUMES_OF_EACH = 4
# Of the whole volume around that inner part, in halos and in units of `divisible_by`.
HALOS_AROUND, LEAST_UNITS_AROUND = 2, 4


class VolumeHalo(NamedTuple):
    """How far a network of volumes sees, on each side: planes along Z, pixels along Y and X."""

    planes: int
    px: int


def measure_halo_of_volumes(predict: Predict, given: InputCard, seed: int = 0) -> VolumeHalo:
    """Choose the halo that the tiles of a network of volumes need.

    Parameters
    ----------
    predict : callable
        Turns (1, C, Z, Y, X) float32 into probabilities (1, roles, Z, Y, X).
    given : InputCard
        Of the network.
    seed : int
        Of the noise on which it is measured.

    Returns
    -------
    VolumeHalo
        One more than `reach_in_volumes`, rounded up to what the network takes; more along an axis if tiles of synthetic
        nuclei that are cut along it need it.
    """
    reach = reach_in_volumes(predict, given, seed)
    planes, px = (round_up(far + 1, unit) for far, unit in zip(reach, units(given)))
    # A network that was trained on few volumes may see nothing in noise: then an impulse has no effect.
    return _grow_for_nuclei(VolumeHalo(planes, px), predict, given, seed)


def reach_in_volumes(predict: Predict, given: InputCard, seed: int = 0, noticeable: float = NOTICEABLE) -> VolumeHalo:
    """Change one voxel, and measure how far away the output changes; see `cpunet.checks.halo.reach_of_impulse`.

    Returns
    -------
    VolumeHalo
        At most half of `LARGEST_FIELD`, or of the next size that the network takes.
    """
    unit_z, unit = units(given)[:2]
    most_planes, most_px = least_sizes(given, *LARGEST_FIELD)[:2]
    planes, side = least_sizes(given, *FIRST_FIELD)[:2]
    while True:
        rng = np.random.default_rng(seed)
        found = [
            reach_along_axes(
                predict,
                noise_field(rng, len(given.channels), (planes, side, side), (max(1, size // 2), size, size)),
                (0.0, 1.0),
                noticeable,
            )
            for size in COARSENESSES_PX
        ]
        far_z, far = max(each[0] for each in found), max(max(each[1:]) for each in found)
        larger = (
            planes if far_z + unit_z < planes // 2 else min(2 * planes, most_planes),
            side if far + unit < side // 2 else min(2 * side, most_px),
        )
        if larger == (planes, side):
            return VolumeHalo(far_z, far)
        planes, side = larger


def _grow_for_nuclei(halo: VolumeHalo, predict: Predict, given: InputCard, seed: int) -> VolumeHalo:
    """Enlarge a halo until the inner part of a tile of nuclei is predicted as in the whole volume, axis by axis."""
    assert given.z_step_px is not None  # the card of a network of volumes has one
    unit = units(given)
    inner = least_sizes(given, INNER_PLANES, INNER_PX)
    found = [halo.planes, halo.px, halo.px]
    around = [max(HALOS_AROUND * far, LEAST_UNITS_AROUND * step) for far, step in zip(found, unit)]
    shape = tuple(size + 2 * more for size, more in zip(inner, around))
    channels = len(given.channels)
    for number, diameter, touching in itertools.product(range(VOLUMES_OF_EACH), DIAMETERS_PX, (False, True)):
        first = seed + number * channels
        volumes = [
            synthetic_volume(shape, diameter, given.z_step_px, touching, first + channel).image
            for channel in range(channels)
        ]
        field = np.stack(volumes)[np.newaxis]
        kept_of_whole = tuple(slice(more, more + size) for more, size in zip(around, inner))
        whole = predict(field)[(slice(None), slice(None), *kept_of_whole)]
        # Cut along Z alone, then along Y and X alone, then along all, where what each cut changes adds up.
        for cut in ((0,), (1, 2), (0, 1, 2)):
            while all(found[axis] + unit[axis] <= around[axis] for axis in cut):
                tile, kept = _tile(cut, found, around, inner)
                if np.abs(predict(field[tile])[kept] - whole).max() <= CUT_NOTICEABLE:
                    break
                for axis in cut:
                    found[axis] += unit[axis]
    return VolumeHalo(found[0], found[1])


def _tile(
    cut: Tuple[int, ...], halo: List[int], around: List[int], inner: Tuple[int, ...]
) -> Tuple[Tuple[Any, ...], Tuple[Any, ...]]:
    """Return where a tile lies in the whole volume, and its inner part in the tile; it is whole along axes not cut."""
    sides = [halo[axis] if axis in cut else around[axis] for axis in range(3)]
    tile = [slice(more - side, more + size + side) for more, side, size in zip(around, sides, inner)]
    kept = [slice(side, side + size) for side, size in zip(sides, inner)]
    return (..., *tile), (..., *kept)
