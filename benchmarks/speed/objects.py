"""Time what follows the network by the number of objects: from a field with ten to one with 50,000.

The probabilities are the network's own for one block, repeated to the size: so a field of 8192x8192 needs no minute of
the network, and its objects look like those of any other field.
"""

from functools import partial
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from benchmarks.in_turns import seconds_in_turns
from benchmarks.speed.fields import BLOCK_PX, Wanted, make_fields
from benchmarks.speed.series import Series
from cpunet.cores import cores_allowed
from cpunet.model.find import find_model
from cpunet.model.session import OnnxModel, load_model
from cpunet.options import Options
from cpunet.steps.confidence import boundary_confidence, count_from_area, foreground_confidence
from cpunet.steps.declump import foreground_probability, probabilities_by_role
from cpunet.steps.decode import decode
from cpunet.steps.filters import filter_objects
from cpunet.steps.predict import predict
from cpunet.steps.prepare import prepare

PART = "objects"
FOUND = "objects found"
# The last two have the same density: the larger one has ten times the objects and 10.24 times the pixels.
FIELDS = (
    Wanted((520, 696), objects=10),
    Wanted((520, 696), objects=130),
    Wanted((2048, 2048), objects=1000),
    Wanted((2560, 2560), objects=5000),
    Wanted((8192, 8192), objects=50000),
)


def time_objects(wanted: Sequence[Wanted], model_name: str, rounds: int) -> List[Series]:
    """Time declumping, filters and confidence on each field, in turns."""
    model = load_model(find_model(model_name))
    cores = cores_allowed()
    series = []
    for each in wanted:
        probabilities = repeated_probabilities(each, model)
        labels = _declumped(probabilities, model)
        actions = _actions(probabilities, labels, model)
        for stage, seconds in seconds_in_turns(actions, rounds).items():
            series.append(Series(PART, each.name, cores, model_name, stage, tuple(seconds)))
        series.append(Series(PART, each.name, cores, model_name, FOUND, (float(labels.max(initial=0)),)))
        del probabilities, labels, actions  # a gigabyte, before the next one is made
    return series


def repeated_probabilities(wanted: Wanted, model: OnnxModel) -> np.ndarray:
    """Return the probabilities (roles, Y, X) of a field: those of one block of it, side by side."""
    block = min(wanted.shape[0], BLOCK_PX), min(wanted.shape[1], BLOCK_PX)
    objects = wanted.objects
    if objects is not None:
        objects = max(2, round(objects * block[0] * block[1] / (wanted.shape[0] * wanted.shape[1])))
    (field,) = make_fields(wanted._replace(shape=block, objects=objects, count=1))
    channels, usable, _ = prepare(field.image, model.card.input)
    probabilities = predict(channels, usable, model, Options(), 1.0)
    copies = tuple(-(-whole // side) for whole, side in zip(wanted.shape, block))
    return np.ascontiguousarray(np.tile(probabilities, (1, *copies))[:, : wanted.shape[0], : wanted.shape[1]])


def _declumped(probabilities: np.ndarray, model: OnnxModel) -> np.ndarray:
    return decode(probabilities, None, None, model.card, Options(), 1.0)


def _actions(probabilities: np.ndarray, labels: np.ndarray, model: OnnxModel) -> Dict[str, Callable[[], Any]]:
    foreground = foreground_probability(probabilities_by_role(probabilities, model.card.output.roles))

    def confidence() -> None:
        foreground_confidence(labels, foreground)
        boundary_confidence(labels, foreground)
        count_from_area(labels)

    return {
        "declump": partial(_declumped, probabilities, model),
        "filters": partial(filter_objects, labels),
        "confidence": confidence,
    }
