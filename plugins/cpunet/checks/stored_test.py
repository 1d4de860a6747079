"""The test inside a model file: one input, and the output that the network must give on any machine."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Union, cast

import numpy as np
import numpy.typing as npt

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.checks.instances_agreement import InstancesTolerance, check_instances_agreement
from cpunet.errors import ModelError
from cpunet.model.axes import units
from cpunet.model.card import IMAGES, INSTANCES, VOLUMES
from cpunet.model.instances import OUTPUTS, Instances, checked_instances
from cpunet.model.protocol import InstanceModel, Model

STORED_TEST_KEY = "cpunet.stored_test"
# Four million values are 16 MB; export writes less than a tenth of that.
MOST_VALUES = 4 * 2**20


@dataclass(frozen=True)
class StoredTest:
    """An input and its output.

    Attributes
    ----------
    input : ndarray of shape (N, C, Y, X), or (N, C, Z, Y, X) of volumes, float32
        Normalized as the card says.
    output : ndarray of shape (N, roles, Y, X), or (N, roles, Z, Y, X), float32
        Probabilities, computed in double precision by the program that wrote the file, or by the network itself when
        a card was added to it.
    """

    input: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]


@dataclass(frozen=True)
class StoredInstancesTest:
    """An input and the objects that a network gives for it.

    Attributes
    ----------
    input : ndarray of shape (1, C, Y, X), float32
        Normalized as the card says.
    output : Instances
        All that the network gives; only objects above the card's `score_threshold` are compared.
    """

    input: npt.NDArray[np.float32]
    output: Instances


def stored_test_to_json(test: Union[StoredTest, StoredInstancesTest]) -> str:
    """Write a test as JSON: shapes, and little-endian float32 values in base64."""
    outputs = test.output._asdict() if isinstance(test, StoredInstancesTest) else {"output": test.output}
    tensors = {"input": test.input, **outputs}
    return json.dumps({name: _tensor_to_dict(values) for name, values in tensors.items()}, sort_keys=True)


def stored_test_from_json(text: str, dimensions: int = IMAGES) -> StoredTest:
    """Read a test of probabilities, of images or of volumes, from a file that anyone may have written.

    Raises ModelError if the text is no such test, declares another number of values than it holds, or more than four
    million.
    """
    content = _content(text)
    tensors = [_tensor_from(content.get(name), 2 + dimensions) for name in ("input", "output")]
    if tensors[0] is None or tensors[1] is None:
        numbers = "five" if dimensions == VOLUMES else "four"
        raise ModelError(
            f"the stored test is damaged: its input and output must each have a shape of {numbers} numbers, and as "
            f"many float32 values in base64, at most {MOST_VALUES}. Export the model again."
        )
    return StoredTest(tensors[0], tensors[1])


def stored_instances_test_from_json(text: str) -> StoredInstancesTest:
    """Read a test of a network that gives objects; ModelError as in `stored_test_from_json`."""
    content = _content(text)
    image = _tensor_from(content.get("input"), 4)
    outputs = [_tensor_from(content.get(name), axes, least=0) for name, axes in OUTPUTS.items()]
    found = [each for each in outputs if each is not None]
    if image is None or len(image) != 1 or len(found) < len(OUTPUTS):
        raise ModelError(
            "the stored test is damaged: its input must be one image of four axes, and its boxes, scores and masks "
            f"must have two, one and three axes, with as many float32 values in base64, at most {MOST_VALUES}. Export "
            "the model again."
        )
    return StoredInstancesTest(image, checked_instances(found, image.shape, MOST_VALUES, "the stored test"))


def _content(text: str) -> Dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError("the stored test is not readable JSON. Export the model again.") from None
    return content if isinstance(content, dict) else {}


def run_stored_test(text: str, model: Model, path: Path) -> str:
    """Run the stored test of a model file, and return in words how it agrees with the output that is stored.

    Raises
    ------
    ModelError
        If the test is damaged, or does not fit the card; names `path`.
    DisagreementError
        If the network gives something else.
    """
    given, of_objects = model.card.input, model.card.output.kind == INSTANCES
    try:
        test: Union[StoredTest, StoredInstancesTest] = (
            stored_instances_test_from_json(text) if of_objects else stored_test_from_json(text, given.dimensions)
        )
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    channels, *sizes_found = test.input.shape[1:]
    fits = tuple(sizes_found) == tuple(given.tile_shape or sizes_found)
    multiples = not any(size % unit for size, unit in zip(sizes_found, units(given)))
    if channels != len(given.channels) or not multiples or not fits:
        sizes = f"sides divisible by {given.divisible_by}"
        if given.tile_shape is not None:
            sizes = "{} x {} pixels alone".format(*given.tile_shape)
        elif given.dimensions == VOLUMES:
            sizes += f", planes by {given.divisible_by_planes}"
        raise ModelError(
            f"{path}: the stored test's input has the shape {test.input.shape}, which does not fit the card "
            f"({len(given.channels)} channels, {sizes}). Export the model again."
        )
    what = f"{path}: the network and its stored test"
    if isinstance(test, StoredInstancesTest):
        found, threshold = (
            cast(InstanceModel, model).find_instances(test.input),
            model.card.postprocessing.score_threshold,
        )
        within = check_instances_agreement(found, test.output, threshold, InstancesTolerance(), what)
        return f"{within} ({InstancesTolerance()})"
    return f"{check_agreement(model.predict(test.input), test.output, Tolerance(), what):.1e} ({Tolerance()})"


def _tensor_to_dict(values: npt.NDArray[np.float32]) -> Any:
    content = base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
    return {"shape": list(values.shape), "values": content}


def _tensor_from(content: Any, axes: int, least: int = 1) -> Optional[npt.NDArray[np.float32]]:
    """Return the values of a tensor of so many axes, each at least so long; None if it is none."""
    if not isinstance(content, dict):
        return None
    shape, text = content.get("shape"), content.get("values")
    if not isinstance(shape, list) or len(shape) != axes or not isinstance(text, str):
        return None
    if (
        any(type(size) is not int or not least <= size <= MOST_VALUES for size in shape)
        or math.prod(shape) > MOST_VALUES
    ):
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 4 * math.prod(shape):
        return None
    values = np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)
    return values if np.isfinite(values).all() else None
