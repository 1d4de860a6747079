"""Find seeds in the regions of a volume, one in each object: by probabilities, by shape, or by brightness."""

from __future__ import annotations

import math
from typing import Callable, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cpunet.model.card import Postprocessing
from cpunet.steps.declump import probabilities_by_role
from cpunet.steps.filters import relabel
from cpunet.steps.prepare import stride_for_percentiles
from cpunet.steps.resize import GAUSSIAN_REACH
from cpunet.steps.seeds import WIDTH_IN_SIGMA, Declumping, keep_apart, marker_score, peaks, smoothed

Labels = npt.NDArray[np.int32]
Score = npt.NDArray[np.float32]
Inside = npt.NDArray[np.bool_]
Box = Tuple[slice, ...]
# Returns the score, high in the middle of objects and low where two meet, in a box around a region.
ScoreOf = Callable[[Box, Inside], Score]


def score_by(
    method: str,
    probabilities: Score,
    roles: Sequence[str],
    regions: Labels,
    z_step_px: float,
    usable: Optional[Inside],
    image: Optional[Score],
) -> ScoreOf:
    """Return the function that computes the score of a method of declumping, box by box.

    ``probability``: `cpunet.steps.seeds.marker_score`. ``shape``: the distance to the edge, with holes filled.
    ``intensity``: the brightness, or its negative if objects are darker than the usable background.
    """
    if method == "probability":
        return lambda box, inside: marker_score(probabilities_by_role(probabilities[(slice(None), *box)], roles))
    if method == "shape":
        return lambda box, inside: _distance_to_edge(box, inside, regions.shape, z_step_px)
    if image is None:
        raise ValueError("To separate objects by their intensity, their image is needed.")
    prepared, sign = image, np.float32(-1 if _objects_are_darker(image, regions, usable) else 1)
    return lambda box, inside: sign * prepared[(slice(None), *box)].mean(axis=0)


def markers_by_probability(
    probabilities: Score, roles: Sequence[str], mask: Inside, settings: Postprocessing
) -> Labels:
    """Return each connected part of a mask (Z, Y, X) above the marker threshold that is not too small, as 1..n."""
    above = np.empty(mask.shape, bool)
    for z in range(len(mask)):
        np.greater(marker_score(probabilities_by_role(probabilities[:, z], roles)), settings.marker_threshold, above[z])
    above &= mask
    markers, _ = ndimage.label(above, output=np.int32)
    del above
    return relabel(markers, settings.marker_min_size_px)


def markers_in_regions(
    regions: Labels,
    score_of: ScoreOf,
    settings: Postprocessing,
    how: Declumping,
    z_step_px: float,
    usable: Optional[Inside],
) -> Labels:
    """Find the seeds of each region (Z, Y, X) by itself, as `cpunet.steps.declump.split_by` finds them in an image.

    1. Smooth the score around the region, if `how` says so.
    2. For ``probability``, each connected part above the marker threshold that is not too small is a seed; otherwise,
       each peak.
    3. Of seeds that are too close, keep the higher one.
    """
    markers = np.zeros(regions.shape, np.int32)
    reach = GAUSSIAN_REACH * how.smoothing_px / WIDTH_IN_SIGMA
    margins = [max(1, math.ceil(reach / step)) for step in (z_step_px, 1.0, 1.0)]
    count = 0
    for number, box in enumerate(ndimage.find_objects(regions), start=1):
        if box is None:
            continue
        around = tuple(
            slice(max(0, axis.start - margin), min(size, axis.stop + margin))
            for axis, margin, size in zip(box, margins, regions.shape)
        )
        inside = regions[around] == number
        score = smoothed(
            score_of(around, inside), how.smoothing_px, None if usable is None else usable[around], z_step_px
        )
        one = inside.astype(np.int32)
        if how.method == "probability":
            found, _ = ndimage.label((score > settings.marker_threshold) & inside, output=np.int32)
            found = relabel(found, settings.marker_min_size_px)
        else:
            found = peaks(score, one)
        found = keep_apart(found, score, one, how.min_distance_px, z_step_px)
        own = found > 0
        markers[around][own] = found[own] + count
        count += int(found.max())
    return markers


def _distance_to_edge(box: Box, inside: Inside, shape: Tuple[int, ...], z_step_px: float) -> Score:
    """Return the distance of the voxels of a region to its edge; the sides of the volume are no edge."""
    # A voxel more on each side, where the volume goes on: the background that the region ends at.
    beyond = [(int(axis.start > 0), int(axis.stop < size)) for axis, size in zip(box, shape)]
    filled = ndimage.binary_fill_holes(np.pad(inside, beyond))
    if filled.all():
        return np.ones(inside.shape, np.float32)
    distance = ndimage.distance_transform_edt(filled, sampling=(z_step_px, 1.0, 1.0))
    own = tuple(slice(before, before + size) for (before, _), size in zip(beyond, inside.shape))
    found: Score = distance[own].astype(np.float32)
    return found


def _objects_are_darker(image: Score, regions: Labels, usable: Optional[Inside]) -> bool:
    """Return True if the median of the regions is darker than that of the usable background, on an even grid."""
    stride = stride_for_percentiles(regions.size)
    brightness = image.reshape(len(image), -1)[:, ::stride].mean(axis=0)
    inside = regions.reshape(-1)[::stride] > 0
    outside = ~inside if usable is None else usable.reshape(-1)[::stride] & ~inside
    return bool(inside.any() and outside.any() and np.median(brightness[inside]) < np.median(brightness[outside]))
