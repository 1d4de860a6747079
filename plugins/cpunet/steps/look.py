"""What a network sees in a prepared image, and the objects that this becomes: the one place that knows both kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional, Tuple, Union, cast

import numpy as np
import numpy.typing as npt

from cpunet.errors import OptionError
from cpunet.model.card import INSTANCES, VOLUMES, ModelCard
from cpunet.model.protocol import InstanceModel, Model
from cpunet.options import Options
from cpunet.segmentation import FoundInstances, Segmentation
from cpunet.steps.decode import decode
from cpunet.steps.instances.find import check_options_of_instances, draw_instances, find_instances
from cpunet.steps.predict import predict
from cpunet.volumes.decode import decode_volume
from cpunet.volumes.predict import predict_volume

Mask = Optional[npt.NDArray[np.bool_]]
# Probabilities (roles, Y, X), or (roles, Z, Y, X) of a volume, on the image's own grid; or objects.
Seen = Union[npt.NDArray[np.float32], FoundInstances]


def check_options_of_kind(options: Options, card: ModelCard) -> None:
    """Raise OptionError for an option that makes no sense for what the model gives."""
    if card.output.kind == INSTANCES:
        check_options_of_instances(options)
    if card.input.dimensions == VOLUMES and options.crop_px is not None:
        raise OptionError(
            f"The model {card.name} sees volumes, which are not cut into crops. Leave out the crops; views that are "
            "mirrored, turned or of another scale can be averaged."
        )


def options_for_kind(options: Options, card: ModelCard) -> Options:
    """Return options without what makes no sense for what the model gives, or takes."""
    if card.input.dimensions == VOLUMES:
        return replace(options, crop_px=None)
    if card.output.kind != INSTANCES:
        return options
    return replace(
        options,
        declump_method="probability",
        smoothing_px=None,
        min_distance_px=None,
        augmentation="none",
        view_scales=(1.0,),
        crop_px=None,
    )


def look(channels: npt.NDArray[np.float32], usable: Mask, model: Model, options: Options, scale: float) -> Seen:
    """Run the network over a prepared image (C, Y, X), or a volume (C, Z, Y, X), at a scale.

    See `predict`, `find_instances` and `cpunet.volumes.predict.predict_volume`.
    """
    if model.card.input.dimensions == VOLUMES:
        return predict_volume(channels, usable, model, options, scale)
    if model.card.output.kind == INSTANCES:
        return find_instances(channels, cast(InstanceModel, model), options, scale)
    return predict(channels, usable, model, options, scale)


def seen_in(found: Segmentation) -> Seen:
    """Return what the objects of a segmentation were made from."""
    return found.probabilities if found.instances is None else found.instances


def objects_of(
    seen: Seen,
    shape: Tuple[int, ...],
    channels: Optional[npt.NDArray[np.float32]],
    usable: Mask,
    card: ModelCard,
    options: Options,
    scale: float,
) -> Segmentation:
    """Turn what was seen in an image of this height and width into objects.

    See `decode`, `draw_instances` and `cpunet.volumes.decode.decode_volume`.
    """
    if isinstance(seen, FoundInstances):
        return draw_instances(seen, shape, usable, card, options, scale)
    if card.input.dimensions == VOLUMES:
        return Segmentation(decode_volume(seen, channels, usable, card, options, scale), seen, scale, usable)
    return Segmentation(decode(seen, channels, usable, card, options, scale), seen, scale, usable)
