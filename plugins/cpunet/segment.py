"""From an image, or a stack of planes, to labels: prepare, choose the scale, look, turn into objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional, Sequence, Union

import numpy.typing as npt

from cpunet.choice.model_choice import ModelChoice, choose_in_image, choose_in_stack
from cpunet.errors import ModelError
from cpunet.model.card import VOLUMES
from cpunet.model.protocol import Model
from cpunet.options import Options, check_options, progress_of_part
from cpunet.segmentation import Segmentation, empty_segmentation
from cpunet.steps.declump import needs_image
from cpunet.steps.decode import decodes_by_card
from cpunet.steps.linking.link import link_planes
from cpunet.steps.look import check_options_of_kind, look, objects_of, options_for_kind, seen_in
from cpunet.steps.outlines import outlines_as_asked
from cpunet.steps.planes import (
    choose_scale_of_stack,
    confidence_of_linked,
    in_one_plane,
    mask_in_one_plane,
)
from cpunet.steps.prepare import LEAST_SIDE_PX, has_contrast, prepare
from cpunet.steps.scale import choose_scale
from cpunet.volumes.segment_volume import segment_volume

PLANE_BY_PLANE = "Segmented plane by plane by the model {}, and the objects of neighboring planes were linked."


def segment_image(
    image: npt.NDArray[Any], model: Union[Model, ModelChoice], options: Optional[Options] = None
) -> Segmentation:
    """Find the objects in an image.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
        Not changed. NaN and infinite pixels count as masked out.
    model : Model or ModelChoice
        For example from `cpunet.model.session.load_model`. Of a choice, each model segments the image by itself.
    options : Options, optional

    Returns
    -------
    Segmentation
        Labels and probabilities on the image's own grid, and the confidence of each object if the model gives objects
        itself. An image without contrast, without a single finite number, or only one pixel high or wide, gives no
        object: an error would end a batch of good images as well.

    Raises
    ------
    ModelError
        If the model sees volumes.
    ValueError
        If the image's shape or type does not fit the model, or an option is out of range.
    """
    options = options or Options()
    check_options(options)
    if isinstance(model, ModelChoice):
        of_models = zip(model.models, _options_of_models(options, model.models))
        return choose_in_image([segment_image(image, each, own) for each, own in of_models], model)
    if model.card.input.dimensions == VOLUMES:
        raise ModelError(
            f"The model {model.card.name} sees volumes (3-D), and this is an image of one plane. Give it a stack (in "
            "CellProfiler: 'Process as 3D?' in NamesAndTypes; in Python: cpunet.segment.segment_stack), or choose a "
            "model of images."
        )
    check_options_of_kind(options, model.card)
    channels, usable, notes = prepare(image, model.card.input, options.mask)
    if min(image.shape[:2]) < LEAST_SIDE_PX or not has_contrast(channels, usable):
        return empty_segmentation(image.shape[:2], model.card, usable, notes)
    scale, seen, of_scale = choose_scale(channels, usable, model, options)
    of_network = look(channels, usable, model, options, scale) if seen is None else seen_in(seen)
    decoded_from = channels if needs_image(model.card.output.roles, options.declump_method) else None
    del channels  # of a slide, a gigabyte
    if seen is not None and decodes_by_card(options):
        found = seen
    else:
        found = objects_of(of_network, image.shape[:2], decoded_from, usable, model.card, options, scale)
    labels = outlines_as_asked(found.labels, image, usable, model.card.postprocessing, options, scale)
    return found._replace(labels=labels, usable=usable, notes=notes + of_scale + found.notes)


def _options_of_models(options: Options, models: Sequence[Model]) -> List[Options]:
    """Return the options of each of several models, as far as they concern it; they count their tiles together."""
    parts = [progress_of_part(options.on_progress, place, len(models)) for place in range(len(models))]
    return [options_for_kind(replace(options, on_progress=part), model.card) for part, model in zip(parts, models)]


def segment_stack(
    stack: npt.NDArray[Any], model: Union[Model, ModelChoice], options: Optional[Options] = None
) -> Segmentation:
    """Find the objects in a 3-D stack: as a volume by a model of volumes, and plane by plane by a model of images.

    Parameters
    ----------
    stack : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
        Not changed. NaN and infinite voxels count as masked out.
    model : Model or ModelChoice
        Of volumes, which `cpunet.volumes.segment_volume.segment_volume` runs; or of images, see the notes.
    options : Options, optional
        The mask may be one for all planes, (Y, X), or (Z, Y, X). Progress counts the tiles of all planes.

    Returns
    -------
    Segmentation
        Labels (Z, Y, X), 1..n without gaps, and probabilities (C, Z, Y, X). The confidence of an object is the mean of
        those in its planes, weighted by their pixels. The last note says how the stack was segmented.

    Raises
    ------
    ValueError
        If the stack's shape or type does not fit the model, or an option is out of range.

    Notes
    -----
    By a model of images:

    1. All planes are normalized together, so that the noise of an empty plane is not stretched into objects.
    2. All planes share one scale, chosen on the plane with the most contrast.
    3. Each plane is predicted and decoded, and its outlines are drawn, by itself.
    4. `link_planes` makes objects of the regions in all planes.
    5. Of several models, the objects are chosen in each plane, and the planes are linked anew.
    """
    options = options or Options()
    check_options(options)
    if isinstance(model, ModelChoice):
        of_models = zip(model.models, _options_of_models(options, model.models))
        return choose_in_stack([segment_stack(stack, each, own) for each, own in of_models], model, stack)
    if model.card.input.dimensions == VOLUMES:
        return segment_volume(stack, model, options)
    check_options_of_kind(options, model.card)
    shape = stack.shape[:3]
    channels, usable, notes = prepare(in_one_plane(stack), model.card.input, mask_in_one_plane(options.mask, shape))
    how = PLANE_BY_PLANE.format(model.card.name)
    something = min(shape[1:]) >= LEAST_SIDE_PX and has_contrast(channels, usable)
    channels, usable = channels.reshape(-1, *shape), None if usable is None else usable.reshape(shape)
    empty = empty_segmentation(shape, model.card, usable, (*notes, how))
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
    linked = link_planes(labels, stack)
    notes = (*notes, *of_scale, *of_planes, how)
    return Segmentation(linked, probabilities, scale, usable, notes, confidence_of_linked(labels, linked, confidence))
