"""From an image, or a stack of planes, to labels: prepare, choose the scale, look, turn into objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import numpy.typing as npt

from cpunet.model.protocol import Model
from cpunet.options import Options, check_options, progress_of_part
from cpunet.segmentation import Segmentation, empty_segmentation
from cpunet.steps.decode import decodes_by_card
from cpunet.steps.look import check_options_of_kind, look, objects_of, seen_in
from cpunet.steps.outlines import outlines_as_asked
from cpunet.steps.planes import (
    choose_scale_of_stack,
    confidence_of_linked,
    in_one_plane,
    link_planes,
    mask_in_one_plane,
)
from cpunet.steps.prepare import has_contrast, prepare
from cpunet.steps.scale import choose_scale

# A line of pixels has no objects with a center and an outline, and CellProfiler cannot hold any.
LEAST_SIDE_PX = 2


def segment_image(image: npt.NDArray[Any], model: Model, options: Optional[Options] = None) -> Segmentation:
    """Find the objects in an image.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
        Not changed. NaN and infinite pixels count as masked out.
    model : Model
        For example from `cpunet.model.session.load_model`.
    options : Options, optional

    Returns
    -------
    Segmentation
        Labels and probabilities on the image's own grid, and the confidence of each object if the model gives objects
        itself. An image without contrast, without a single finite number, or only one pixel high or wide, gives no
        object: an error would end a batch of good images as well.

    Raises
    ------
    ValueError
        If the image's shape or type does not fit the model, or an option is out of range.
    """
    options = options or Options()
    check_options(options)
    check_options_of_kind(options, model.card)
    channels, usable, notes = prepare(image, model.card.input, options.mask)
    if min(image.shape[:2]) < LEAST_SIDE_PX or not has_contrast(channels, usable):
        return empty_segmentation(image.shape[:2], model.card, usable, notes)
    scale, seen, of_scale = choose_scale(channels, usable, model, options)
    of_network = look(channels, usable, model, options, scale) if seen is None else seen_in(seen)
    brightness_of = channels if options.declump_method == "intensity" else None
    del channels  # of a slide, a gigabyte
    if seen is not None and decodes_by_card(options):
        found = seen
    else:
        found = objects_of(of_network, image.shape[:2], brightness_of, usable, model.card, options, scale)
    labels = outlines_as_asked(found.labels, image, usable, model.card.postprocessing, options, scale)
    return found._replace(labels=labels, usable=usable, notes=notes + of_scale + found.notes)


def segment_stack(stack: npt.NDArray[Any], model: Model, options: Optional[Options] = None) -> Segmentation:
    """Find the objects in a 3-D stack, plane by plane.

    Parameters
    ----------
    stack : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
        Not changed. NaN and infinite voxels count as masked out.
    model : Model
        Of 2-D images.
    options : Options, optional
        The mask may be one for all planes, (Y, X), or (Z, Y, X). Progress counts the tiles of all planes.

    Returns
    -------
    Segmentation
        Labels (Z, Y, X), 1..n without gaps, and probabilities (C, Z, Y, X). The confidence of an object is the mean of
        those in its planes, weighted by their pixels.

    Raises
    ------
    ValueError
        If the stack's shape or type does not fit the model, or an option is out of range.

    Notes
    -----
    1. All planes are normalized together, so that the noise of an empty plane is not stretched into objects.
    2. All planes share one scale, chosen on the plane with the most contrast.
    3. Each plane is predicted and decoded, and its outlines are drawn, by itself.
    4. `link_planes` joins the objects of neighboring planes.
    """
    options = options or Options()
    check_options(options)
    check_options_of_kind(options, model.card)
    shape = stack.shape[:3]
    channels, usable, notes = prepare(in_one_plane(stack), model.card.input, mask_in_one_plane(options.mask, shape))
    something = min(shape[1:]) >= LEAST_SIDE_PX and has_contrast(channels, usable)
    channels, usable = channels.reshape(-1, *shape), None if usable is None else usable.reshape(shape)
    empty = empty_segmentation(shape, model.card, usable, notes)
    if not something:
        return empty
    scale, diameter_px, of_scale = choose_scale_of_stack(channels, usable, model, options)
    labels, probabilities = empty.labels, empty.probabilities
    confidence, of_planes = [], []
    for z in range(shape[0]):
        of_plane = replace(
            options, diameter_px=diameter_px, on_progress=progress_of_part(options.on_progress, z, shape[0])
        )
        plane, plane_usable = channels[:, z], None if usable is None else usable[z]
        of_network = look(plane, plane_usable, model, of_plane, scale)
        found = objects_of(of_network, shape[1:], plane, plane_usable, model.card, of_plane, scale)
        probabilities[:, z] = found.probabilities
        labels[z] = outlines_as_asked(found.labels, stack[z], plane_usable, model.card.postprocessing, options, scale)
        confidence.append(found.confidence)
        of_planes += [note for note in found.notes if note not in of_planes]
    linked = link_planes(labels)
    notes = (*notes, *of_scale, *of_planes)
    return Segmentation(linked, probabilities, scale, usable, notes, confidence_of_linked(labels, linked, confidence))
