"""Filter objects as IdentifyPrimaryObjects does: at the border, small, large, holes, too many; and renumber them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import OptionError
from cpunet.steps.diameter import area_of_disc, volume_of_sphere
from cpunet.steps.runs import (
    Runs,
    areas_of_runs,
    chosen_runs,
    connected,
    numbered_anew,
    painted,
    pixels_of_runs,
    runs_of,
    stretches,
)

Labels = npt.NDArray[np.int32]
# IdentifyPrimaryObjects' default for the largest number of objects.
OBJECT_LIMIT = 500


@dataclass(frozen=True)
class FilteredLabels:
    """Objects after the filters, and those that were discarded.

    Attributes
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        The objects kept, 1..n without gaps.
    small_removed : ndarray of the same shape, int32
        The objects without those at the border and the small ones, with their first labels; CellProfiler's
        ``small_removed_segmented``.
    discarded_by_border, discarded_by_size : ndarray of the same shape, int32
        The discarded objects, with their first labels.
    """

    labels: Labels
    small_removed: Labels
    discarded_by_border: Labels
    discarded_by_size: Labels


def relabel(labels: Labels, min_size_px: float = 1) -> Labels:
    """Renumber objects 1..n without gaps, keeping their order, and drop the smallest.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        0 is background.
    min_size_px : float
        Objects of fewer pixels become background.

    Returns
    -------
    ndarray of shape (Y, X), int32
        `labels` itself if they are so already.

    Examples
    --------
    >>> import numpy as np
    >>> relabel(np.array([[7, 7, 0, 3, 9, 9]]), min_size_px=2).tolist()
    [[1, 1, 0, 0, 2, 2]]
    """
    runs = runs_of(labels)
    kept = areas_of_runs(runs) >= max(min_size_px, 1)
    if kept[1:].all():
        return labels.astype(np.int32, copy=False)
    return painted(numbered_anew(runs, kept), labels.shape)


def pixels_of_labels(labels: Labels) -> npt.NDArray[np.intp]:
    """Count the pixels of each label, from 0 to the highest."""
    counts = areas_of_runs(runs_of(labels))
    counts[0] = labels.size - counts.sum()
    return counts


def look_up(table: npt.NDArray[Any], labels: Labels) -> npt.NDArray[Any]:
    """Return the entry of a table for each pixel's label, in an array of the labels' shape."""
    found = np.full(labels.shape, table[0])
    entries = found.reshape(-1)
    for places, runs in pixels_of_runs(runs_of(labels)):
        entries[places] = np.repeat(table[runs.number], runs.length)
    return found


def keep_objects(labels: Labels, runs: Runs, kept: npt.NDArray[np.bool_]) -> Labels:
    """Return the objects whose entry in `kept`, by label, is True, with their labels; `labels` itself if all are.

    `runs` are those of `labels`.
    """
    return labels if kept[1:].all() else painted(chosen_runs(runs, kept[runs.number]), labels.shape)


def touching_border(labels: Labels, mask: Optional[npt.NDArray[np.bool_]] = None) -> npt.NDArray[np.bool_]:
    """Find the objects that touch the image's frame or, if there is none, the edge of its mask.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
    mask : ndarray of shape (Y, X), or that of `labels`, bool, optional
        The usable part of the image.

    Returns
    -------
    ndarray of shape (labels.max() + 1,), bool
        By label; False for the background.

    Notes
    -----
    This is IdentifyPrimaryObjects' rule. If nothing touches the frame, the mask is taken for the outline of a well or
    a crop, and its edge counts: the pixels with a neighbor beside, above or below that is masked out or outside.

    In a stack, the frame is that of its planes. The first and the last plane do not count: cells that lie on glass
    touch them, and a thin stack would lose all its objects. CellProfiler's FilterObjects, which counts all six
    sides of a stack, can discard those as well.
    """
    frame = np.concatenate(
        [side.ravel() for side in (labels[..., 0, :], labels[..., -1, :], labels[..., 0], labels[..., -1])]
    )
    touching = np.bincount(frame, minlength=int(labels.max()) + 1) > 0
    touching[0] = False
    if mask is not None and not touching.any():
        mask = np.broadcast_to(mask, labels.shape)
        edge = mask & ~inner_pixels(mask)  # at the frame there is no object here
        touching = np.bincount(labels[edge], minlength=int(labels.max()) + 1) > 0
        touching[0] = False
    return touching


def inner_pixels(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels of a mask (..., Y, X) whose neighbors beside, above and below in their plane lie in it too.

    Beyond the image's frame, all counts as part of the mask.
    """
    inner = mask.copy()
    inner[..., 1:, :] &= mask[..., :-1, :]
    inner[..., :-1, :] &= mask[..., 1:, :]
    inner[..., 1:] &= mask[..., :-1]
    inner[..., :-1] &= mask[..., 1:]
    return inner


def fill_holes(labels: Labels, largest_px: float = np.inf) -> Labels:
    """Fill each hole that is surrounded by one object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
    largest_px : float
        Larger holes, pixels of area, stay open.

    Returns
    -------
    ndarray of the same shape, int32
        A patch of background is a hole if it does not reach the frame and touches one object only. A stack is filled
        plane by plane.
    """
    if labels.ndim == 3:
        return np.stack([fill_holes(plane, largest_px) for plane in labels])
    width = labels.shape[1]
    runs = connected(labels == 0)
    end = runs.first + runs.length
    at_frame = (runs.first % width == 0) | (end % width == 0) | (runs.first < width) | (end > labels.size - width)
    outside = np.zeros(int(runs.number.max(initial=0)) + 1, bool)
    outside[runs.number[at_frame]] = True
    outside[0] = True
    if largest_px < np.inf:
        outside |= areas_of_runs(runs) > largest_px
    if outside.all():
        return labels
    inner = chosen_runs(runs, ~outside[runs.number])
    places, patches = stretches(inner.first, inner.length), np.repeat(inner.number, inner.length)
    lowest, highest = np.full(len(outside), np.iinfo(np.int32).max), np.zeros(len(outside), np.int32)
    for step in (-width, -1, 1, width):
        beside = labels.reshape(-1)[places + step]
        np.minimum.at(lowest, patches[beside > 0], beside[beside > 0])
        np.maximum.at(highest, patches[beside > 0], beside[beside > 0])
    of_one = (lowest == highest)[patches]
    filled = labels.copy()
    filled.reshape(-1)[places[of_one]] = highest[patches[of_one]]
    return filled


def erase_if_too_many(labels: Labels, limit: int = OBJECT_LIMIT) -> Labels:
    """Return no object at all if there are more than `limit`, as in an image out of focus or full of debris.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        1..n without gaps; not changed.
    limit : int
        Largest number of objects; ValueError below 0.

    Returns
    -------
    ndarray of the same shape, int32
        `labels` itself, or background alone.
    """
    if limit < 0:
        raise OptionError(f"The largest number of objects must be 0 or more; it is {limit}.")
    return np.zeros_like(labels) if int(labels.max()) > limit else labels


def filter_objects(
    labels: Labels,
    diameter_range_px: Optional[Tuple[float, float]] = None,
    discard_border: bool = False,
    mask: Optional[npt.NDArray[np.bool_]] = None,
    fill: bool = True,
    object_limit: Optional[int] = None,
    z_step_px: float = 1.0,
) -> FilteredLabels:
    """Apply all filters in the order of IdentifyPrimaryObjects.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        0 is background; not changed.
    diameter_range_px : tuple of float, optional
        Smallest and largest diameter of a disc of an object's area, or of a sphere of its volume in a stack; others are
        discarded. None keeps all.
    discard_border : bool
        Discard the objects that touch the border; see `touching_border`.
    mask : ndarray of shape (Y, X), or that of `labels`, bool, optional
        The usable part of the image.
    fill : bool
        Fill the holes of the objects that are kept.
    object_limit : int, optional
        If more objects are kept, erase all, also the discarded ones; see `erase_if_too_many`. None: no limit.
    z_step_px : float
        Distance between two planes of a stack, in units of a pixel's width.

    Raises
    ------
    ValueError
        If the range's minimum is above its maximum, or the limit or the step is out of range.
    """
    if diameter_range_px is not None and diameter_range_px[0] > diameter_range_px[1]:
        raise OptionError(
            f"The diameter range runs from {diameter_range_px[0]:g} to {diameter_range_px[1]:g} pixels: its minimum is "
            "larger than its maximum. Swap the two."
        )
    if not z_step_px > 0:
        raise OptionError(f"The distance between two planes must be larger than 0; it is {z_step_px}.")
    runs = runs_of(labels)
    areas = areas_of_runs(runs)
    none = np.zeros(len(areas), bool)
    at_border = touching_border(labels, mask) if discard_border else none
    small = large = none
    if diameter_range_px is not None:
        sizes, size_of = (areas, area_of_disc) if labels.ndim == 2 else (areas * z_step_px, volume_of_sphere)
        small = sizes < size_of(diameter_range_px[0])
        large = sizes > size_of(diameter_range_px[1])
        small[0] = large[0] = False
    by_size = (small | large) & ~at_border
    small_removed = keep_objects(labels, runs, ~(at_border | small))
    kept = keep_objects(labels, runs, ~(at_border | small | large)) if large.any() else small_removed
    if fill:
        kept = fill_holes(kept)
        if mask is not None:  # masked-out pixels belong to no object, also inside one
            kept = np.where(mask, kept, 0)
    result = FilteredLabels(
        labels=relabel(kept),
        small_removed=small_removed,
        discarded_by_border=keep_objects(labels, runs, at_border),
        discarded_by_size=keep_objects(labels, runs, by_size),
    )
    if object_limit is None or erase_if_too_many(result.labels, object_limit) is result.labels:
        return result
    nothing = np.zeros_like(labels)
    return replace(result, labels=nothing, discarded_by_border=nothing, discarded_by_size=nothing)
