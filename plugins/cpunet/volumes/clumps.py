"""Split clumps of a volume, which are connected regions with several seeds, by a watershed of these regions alone."""

from __future__ import annotations

import math
from typing import Iterator, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cpunet.steps.clumps import flood
from cpunet.steps.runs import runs_of
from cpunet.volumes.seeds import ScoreOf

Labels = npt.NDArray[np.int32]
Box = Tuple[slice, ...]
# A watershed takes some 60 bytes a voxel, so a larger clump is flooded in blocks. Around each, so many pixels more are
# flooded: who gets a voxel is decided between the nearest seeds.
LARGEST_BLOCK, REACH_PX = 2**24, 32.0


def split_clumps(regions: Labels, markers: Labels, score_of: ScoreOf, z_step_px: float) -> None:
    """Divide each region that holds two markers or more among them, by a watershed on the score within the region.

    Parameters
    ----------
    regions : ndarray of shape (Z, Y, X), int32
        Connected regions, each with a number; changed in place. The numbers then have gaps.
    markers : ndarray of the same shape, int32
        Within the regions; changed in place.
    score_of : callable
        Returns the score in a box around a region; see `cpunet.volumes.seeds.score_by`.
    z_step_px : float
        Distance between two planes, in widths of a pixel.

    Notes
    -----
    A clump whose box has more than `LARGEST_BLOCK` voxels is flooded in blocks, one after the other. What is divided
    already serves as seeds for the next block, so that no seam shows. Rounds follow for what no seed of its block
    reached.
    """
    of_markers = runs_of(markers)
    region_of_marker = np.zeros(int(of_markers.number.max(initial=0)) + 1, np.intp)
    region_of_marker[of_markers.number] = regions.reshape(-1)[of_markers.first]
    highest = int(regions.max(initial=0))
    clumps = np.flatnonzero(np.bincount(region_of_marker[1:], minlength=1) > 1)
    boxes = ndimage.find_objects(regions) if len(clumps) else []
    for number in clumps:
        box = boxes[number - 1]
        _flood_clump(regions, markers, int(number), box, score_of, z_step_px)
        inside = regions[box] == number
        regions[box][inside] = markers[box][inside] + highest


def _flood_clump(regions: Labels, markers: Labels, number: int, box: Box, score_of: ScoreOf, z_step_px: float) -> None:
    """Spread the markers of one clump over all of it, in place."""
    goes_on = True
    while goes_on:
        goes_on = False
        for core, around in _blocks(box, z_step_px):
            kept = tuple(slice(c.start - a.start, c.stop - a.start) for c, a in zip(core, around))
            inside = regions[around] == number
            missing = inside[kept] & (markers[core] == 0)
            own = np.where(inside, markers[around], 0)
            if not missing.any() or not own.any():
                continue
            found = flood(inside, own, score_of(around, inside))[kept]
            np.copyto(markers[core], found, where=missing)
            goes_on |= bool(found[missing].any())


def _blocks(box: Box, z_step_px: float) -> Iterator[Tuple[Box, Box]]:
    """Yield the blocks of a box, and what lies within reach of each; a small box is one block."""
    sizes = [axis.stop - axis.start for axis in box]
    counts = [1, 1, 1]
    while math.prod(-(-size // count) for size, count in zip(sizes, counts)) > LARGEST_BLOCK:
        lengths = [size / count * step for size, count, step in zip(sizes, counts, (z_step_px, 1.0, 1.0))]
        counts[int(np.argmax(lengths))] += 1
    reach = [max(1, math.ceil(REACH_PX / step)) for step in (z_step_px, 1.0, 1.0)]
    for place in np.ndindex(*counts):
        core = tuple(
            slice(axis.start + size * index // count, axis.start + size * (index + 1) // count)
            for axis, size, index, count in zip(box, sizes, place, counts)
        )
        around = tuple(
            slice(max(axis.start, part.start - far), min(axis.stop, part.stop + far))
            for axis, part, far in zip(box, core, reach)
        )
        yield core, around
