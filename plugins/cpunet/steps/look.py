"""What a network sees in a prepared image, and the objects that this becomes: the one place that knows both kinds."""

from __future__ import annotations

from typing import Optional, Tuple, Union, cast

import numpy as np
import numpy.typing as npt

from cpunet.model.card import INSTANCES, ModelCard
from cpunet.model.protocol import InstanceModel, Model
from cpunet.options import Options
from cpunet.segmentation import FoundInstances, Segmentation
from cpunet.steps.decode import decode
from cpunet.steps.instances.find import check_options_of_instances, draw_instances, find_instances
from cpunet.steps.predict import predict

Mask = Optional[npt.NDArray[np.bool_]]
# Probabilities (roles, Y, X) on the image's own grid, or objects.
Seen = Union[npt.NDArray[np.float32], FoundInstances]


def check_options_of_kind(options: Options, card: ModelCard) -> None:
    """Raise OptionError for an option that makes no sense for what the model gives."""
    if card.output.kind == INSTANCES:
        check_options_of_instances(options)


def look(channels: npt.NDArray[np.float32], usable: Mask, model: Model, options: Options, scale: float) -> Seen:
    """Run the network over a prepared image (C, Y, X) at a scale; see `predict` and `find_instances`."""
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
    """Turn what was seen in an image of this height and width into objects; see `decode` and `draw_instances`."""
    if isinstance(seen, FoundInstances):
        return draw_instances(seen, shape, usable, card, options, scale)
    return Segmentation(decode(seen, channels, usable, card, options, scale), seen, scale, usable)
