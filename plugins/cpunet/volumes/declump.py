"""Turn the probabilities of a volume into labels: a mask, seeds, and a watershed where objects touch."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cpunet.model.card import Postprocessing
from cpunet.steps.declump import BY_PROBABILITY, foreground_probability, probabilities_by_role
from cpunet.steps.filters import relabel
from cpunet.steps.seeds import Declumping
from cpunet.volumes.clumps import split_clumps
from cpunet.volumes.grow import grow_in_volume
from cpunet.volumes.holes import fill_holes_in_volume
from cpunet.volumes.seeds import markers_by_probability, markers_in_regions, score_by

Labels = npt.NDArray[np.int32]
Mask = Optional[npt.NDArray[np.bool_]]


def declump_volume(
    probabilities: npt.NDArray[np.float32],
    roles: Sequence[str],
    settings: Postprocessing,
    z_step_px: float,
    how: Declumping = BY_PROBABILITY,
    usable: Mask = None,
    image: Optional[npt.NDArray[np.float32]] = None,
) -> Labels:
    """Turn probabilities into labels.

    Parameters
    ----------
    probabilities : ndarray of shape (C, Z, Y, X), float32
        0..1.
    roles : sequence of str
        One for each channel, from the model card; foreground or interior among them.
    settings : Postprocessing
        Its sizes are voxels.
    z_step_px : float
        Distance between two planes, in widths of a pixel.
    how : Declumping
        How touching objects are separated. Its lengths are widths of a pixel, in all directions.
    usable : ndarray of shape (Z, Y, X), bool, optional
        No object has a voxel outside.
    image : ndarray of shape (C, Z, Y, X), float32, optional
        The prepared volume, for the method ``intensity``: the mean of its channels is the brightness.

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        0 is background, objects are 1..n without gaps.

    Raises
    ------
    ValueError
        If the image is needed and missing.

    Notes
    -----
    1. The connected regions of the voxels above the foreground threshold are found. They are connected by faces.
    2. Holes up to a size are filled, if `how` says so.
    3. Seeds are found in each region; see `cpunet.volumes.seeds`.
    4. A region with several seeds is split by a watershed on the score, within the region alone. The others stay whole.
    5. Objects are grown and their holes filled, if the settings say so.
    6. Objects that are too small are dropped, and the others numbered.

    What takes memory is done plane by plane, region by region or, in large clumps, block by block: beside the
    probabilities, there are at most three arrays of 4 bytes for each voxel of the whole.
    """
    mask = mask_of(probabilities, roles, settings.foreground_threshold, usable)
    regions, _ = ndimage.label(mask, output=np.int32)
    if how.fill_before_px:
        regions = _within(usable, fill_holes_in_volume(regions, how.fill_before_px))
        mask = regions > 0
    if how.method != "none":
        score_of = score_by(how.method, probabilities, roles, regions, z_step_px, usable, image)
        if how.method == "probability" and not how.smoothing_px and not how.min_distance_px:
            markers = markers_by_probability(probabilities, roles, mask, settings)
        else:
            markers = markers_in_regions(regions, score_of, settings, how, z_step_px, usable)
        del mask
        split_clumps(regions, markers, score_of, z_step_px)
        del markers
    if settings.dilation_px:
        regions = _within(usable, grow_in_volume(regions, settings.dilation_px, z_step_px))
    if settings.fill_holes:
        regions = _within(usable, fill_holes_in_volume(regions))
    return relabel(regions, settings.min_size_px)


def mask_of(
    probabilities: npt.NDArray[np.float32], roles: Sequence[str], threshold: float, usable: Mask
) -> npt.NDArray[np.bool_]:
    """Return the usable voxels (Z, Y, X) that belong to objects, plane by plane."""
    mask = np.empty(probabilities.shape[1:], bool)
    for z in range(len(mask)):
        by_role = probabilities_by_role(probabilities[:, z], roles)
        np.greater(foreground_probability(by_role), threshold, out=mask[z])
    if usable is not None:
        mask &= usable
    return mask


def _within(usable: Mask, labels: Labels) -> Labels:
    """Remove what is not usable from labels (Z, Y, X), in place."""
    if usable is not None:
        labels[~usable] = 0
    return labels
