"""From a volume to labels, by a network that sees volumes: prepare, choose the scale, look, turn into objects."""

from __future__ import annotations

from typing import Any, Optional

import numpy.typing as npt

from cpunet.errors import ModelError
from cpunet.model.card import VOLUMES, ModelCard
from cpunet.model.protocol import Model
from cpunet.options import Options, check_options
from cpunet.segmentation import Segmentation, empty_segmentation
from cpunet.steps.declump import needs_image
from cpunet.steps.decode import decodes_by_card
from cpunet.steps.look import check_options_of_kind, look, objects_of
from cpunet.steps.prepare import LEAST_SIDE_PX, has_contrast
from cpunet.volumes.outlines import outlines_in_planes
from cpunet.volumes.prepare import prepare_volume
from cpunet.volumes.scale import choose_scale_of_volume


def segment_volume(volume: npt.NDArray[Any], model: Model, options: Optional[Options] = None) -> Segmentation:
    """Find the objects in a volume with a model that sees it as a volume.

    Parameters
    ----------
    volume : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
        Not changed. NaN and infinite voxels count as masked out. One plane is enough.
    model : Model
        Of volumes: its card's input has three dimensions.
    options : Options, optional
        `z_step_px` is the volume's own. The mask may be one for all planes, (Y, X), or (Z, Y, X).

    Returns
    -------
    Segmentation
        Labels (Z, Y, X), 1..n without gaps, and probabilities (roles, Z, Y, X), on the volume's own grid. The last note
        says that it was segmented as a volume.

    Raises
    ------
    ModelError
        If the model sees images.
    ValueError
        If the volume's shape or type does not fit the model, or an option is out of range.

    Notes
    -----
    1. All planes are normalized together, by the usable voxels of the whole volume.
    2. Height and width are scaled by the objects' diameter, and the planes so that their distance is the model's.
    3. Tiles are predicted, which overlap by the halo in three directions; see
       `cpunet.volumes.tiling.predict_tiled_volume`.
    4. The probabilities are brought back to the volume's own grid, and become objects there; see
       `cpunet.volumes.declump.declump_volume`.
    """
    options = options or Options()
    check_options(options)
    if model.card.input.dimensions != VOLUMES:
        raise ModelError(
            f"The model {model.card.name} sees images (2-D), not volumes. Segment the stack plane by plane with "
            "cpunet.segment.segment_stack, or choose a model of volumes."
        )
    check_options_of_kind(options, model.card)
    shape = volume.shape[:3]
    channels, usable, notes = prepare_volume(volume, model.card.input, options.mask)
    how = how_it_was_seen(model.card, options)
    if min(shape[1:]) < LEAST_SIDE_PX or not has_contrast(channels, usable):
        return empty_segmentation(shape, model.card, usable, (*notes, how))
    scale, seen, of_scale = choose_scale_of_volume(channels, usable, model, options)
    probabilities = look(channels, usable, model, options, scale) if seen is None else seen.probabilities
    decoded_from = channels if needs_image(model.card.output.roles, options.declump_method) else None
    del channels
    if seen is not None and decodes_by_card(options):
        found = seen
    else:
        found = objects_of(probabilities, shape, decoded_from, usable, model.card, options, scale)
    labels = outlines_in_planes(found.labels, volume, usable, model.card.postprocessing, options, scale)
    return found._replace(labels=labels, usable=usable, notes=(*notes, *of_scale, how))


def how_it_was_seen(card: ModelCard, options: Options) -> str:
    """Say that a stack was segmented as a volume, and how far its planes lie apart."""
    if options.z_step_px is None:
        return (
            f"Segmented as a volume by the model {card.name}. The z step of the image was not given, so that of the "
            f"model was assumed: planes that lie {card.input.z_step_px:g} pixels apart."
        )
    return (
        f"Segmented as a volume by the model {card.name}. The planes lie {options.z_step_px:g} pixels apart, and the "
        f"model knows {card.input.z_step_px:g}."
    )
