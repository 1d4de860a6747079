"""Segment a 3-D stack plane by plane, and link the objects of neighboring planes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.options import Options, check_options
from cpunet.scores import overlap
from cpunet.segment import Model, find_scale, segment_at_scale
from cpunet.steps.normalize import normalize
from cpunet.steps.prepare import has_contrast, prepare_image
from cpunet.steps.scale import Segmentation, scale_factor, typical_diameter, window_to_measure

# Regions of two neighboring planes are parts of one object if at least half of the smaller lies over the larger.
LEAST_SHARED = 0.5

Mask = Optional[npt.NDArray[np.bool_]]


def segment_stack(stack: npt.NDArray[Any], model: Model, options: Optional[Options] = None) -> Segmentation:
    """Find the objects in a 3-D stack.

    Parameters
    ----------
    stack : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
        Not changed. NaN and infinite voxels count as masked out.
    model : Model
        Of 2-D images.
    options : Options, optional
        Its mask may be one for all planes, (Y, X), or (Z, Y, X). Progress is told over all planes.

    Returns
    -------
    Segmentation
        Labels (Z, Y, X), 1..n without gaps, and probabilities (C, Z, Y, X).

    Raises
    ------
    ValueError
        If the stack's shape or type does not fit the model, or an option cannot be.

    Notes
    -----
    The network sees one plane after the other. All planes share one contrast, so that the noise of an empty plane
    is not stretched into objects; and one scale, estimated on the plane with the most contrast. `link_planes` says
    which objects of two planes are one.
    """
    options = options or Options()
    check_options(options)
    if stack.ndim not in (3, 4) or stack.size == 0:
        raise ImageError(
            f"The stack has the shape {stack.shape}; planes, rows and columns are needed, (Z, Y, X), and for color "
            "channels as well, (Z, Y, X, C)."
        )
    card, shape = model.card, stack.shape[:3]
    # Planes one below the other are an image, too: what is done to all its pixels alike need not be written twice.
    channels, usable = prepare_image(in_one_plane(stack), card.input.channels, _mask_in_one_plane(options.mask, shape))
    if not has_contrast(channels, usable):
        return Segmentation(np.zeros(shape, np.int32), np.zeros((len(card.output.roles), *shape), np.float32), 1.0)
    normalized = normalize(channels, card.input.normalization, usable).reshape(-1, *shape)
    planes_usable = None if usable is None else usable.reshape(shape)
    scale, options = _scale_of_stack(normalized, planes_usable, model, options)
    labels = np.zeros(shape, np.int32)
    probabilities = np.zeros((len(card.output.roles), *shape), np.float32)
    for z in range(shape[0]):
        plane_usable = None if planes_usable is None else planes_usable[z]
        plane_options = replace(options, on_progress=_counted(options.on_progress, z, shape[0]))
        found = segment_at_scale(normalized[:, z], plane_usable, model, plane_options, scale)
        labels[z], probabilities[:, z] = found.labels, found.probabilities
    return Segmentation(link_planes(labels), probabilities, scale)


def link_planes(planes: npt.NDArray[np.int32], least_shared: float = LEAST_SHARED) -> npt.NDArray[np.int32]:
    """Give the objects of neighboring planes that are parts of one the same number.

    Parameters
    ----------
    planes : ndarray of shape (Z, Y, X), int32
        Each plane numbered for itself, 0 is background; numbers may have gaps.
    least_shared : float
        0..1; two regions are linked only if the area they share, over that of the smaller, reaches this.

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        1..n without gaps, in the order in which objects first appear.

    Notes
    -----
    Each region is linked to the one in the plane before that it fits best (IoU), if that one has no better fit
    either, and they share enough; ties go to the first. An object is thus one region a plane at most. Of two objects
    that the network merges in one plane, one ends there and begins anew after it; so does one that is missed.

    So works `stitch3D` in Cellpose (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x), but that asks for an
    IoU of 0.25: between distant planes, a nucleus' end has less than a quarter of the area of the plane before, and
    would be an object of its own. Half of its area shared with the larger is what it always has.
    """
    linked = np.zeros(planes.shape, np.int32)
    count = 0
    for z, plane in enumerate(planes):
        ids = np.unique(plane[plane != 0])
        number_of = np.zeros(int(plane.max()) + 1, np.int32)
        before = np.unique(linked[z - 1][linked[z - 1] != 0]) if z else ids[:0]
        if len(ids) and len(before):
            both = overlap(linked[z - 1], plane)
            iou, own = both.iou, np.arange(len(ids))
            best = iou.argmax(axis=0)
            shared = both.intersection[best, own]
            smaller = np.minimum(both.truth_area[best], both.prediction_area)
            mutual = (iou.argmax(axis=1)[best] == own) & (shared > 0) & (shared >= least_shared * smaller)
            number_of[ids[mutual]] = before[best[mutual]]
        new = ids[number_of[ids] == 0]
        number_of[new] = count + 1 + np.arange(len(new))
        count += len(new)
        linked[z] = number_of[plane]
    return linked


def in_one_plane(stack: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Put the planes of (Z, Y, X) or (Z, Y, X, C) one below the other: (Z * Y, X) or (Z * Y, X, C)."""
    return stack.reshape(-1, *stack.shape[2:])


def _mask_in_one_plane(mask: Mask, shape: Tuple[int, ...]) -> Mask:
    if mask is None:
        return None
    if mask.shape not in (shape, shape[1:]):
        raise ImageError(
            f"The mask has the shape {mask.shape} and the stack {shape}; it must be a plane of {shape[1:]}, or a stack "
            f"of {shape}."
        )
    return in_one_plane(np.broadcast_to(mask, shape))


def _scale_of_stack(
    normalized: npt.NDArray[np.float32], usable: Mask, model: Model, options: Options
) -> Tuple[float, Options]:
    """Return the scale for all planes, and the options with the diameter that was measured, if any was."""
    if options.scale is not None:
        return options.scale, options
    if options.diameter_px is not None:
        return scale_factor(model.card.input, options.diameter_px), options
    z = int(np.argmax([float(plane.std()) for plane in normalized[0]]))
    window = window_to_measure(normalized[0, z])
    seen = find_scale(
        normalized[(slice(None), z, *window)], None if usable is None else usable[z][window], model, options
    )
    # One measure for all planes: an object's cap is no smaller object.
    return seen.scale, replace(options, diameter_px=typical_diameter(seen.labels)) if seen.labels.any() else options


def _counted(
    on_progress: Optional[Callable[[int, int], None]], z: int, depth: int
) -> Optional[Callable[[int, int], None]]:
    """Return a function that counts the tiles of one plane among those of all."""
    if on_progress is None:
        return None
    report = on_progress
    return lambda done, total: report(z * total + done, depth * total)
