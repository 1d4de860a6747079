"""The test inside a model file: one input, and the output that the network must give on any machine."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.errors import ModelError
from cpunet.model.protocol import Model

STORED_TEST_KEY = "cpunet.stored_test"
# Four million values are 16 MB; export writes less than a tenth of that.
MOST_VALUES = 4 * 2**20


@dataclass(frozen=True)
class StoredTest:
    """An input and its output.

    Attributes
    ----------
    input : ndarray of shape (N, C, Y, X), float32
        Normalized as the card says.
    output : ndarray of shape (N, roles, Y, X), float32
        Probabilities, computed in double precision by the program that wrote the file, or by the network itself when
        a card was added to it.
    """

    input: npt.NDArray[np.float32]
    output: npt.NDArray[np.float32]


def stored_test_to_json(test: StoredTest) -> str:
    """Write a test as JSON: shapes, and little-endian float32 values in base64."""
    return json.dumps({"input": _tensor_to_dict(test.input), "output": _tensor_to_dict(test.output)}, sort_keys=True)


def stored_test_from_json(text: str) -> StoredTest:
    """Read a test from a file that anyone may have written.

    Raises ModelError if the text is no such test, declares another number of values than it holds, or more than four
    million.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError("the stored test is not readable JSON. Export the model again.") from None
    tensors = [_tensor_from(content.get(name) if isinstance(content, dict) else None) for name in ("input", "output")]
    if tensors[0] is None or tensors[1] is None:
        raise ModelError(
            "the stored test is damaged: its input and output must each have a shape of four numbers, and as many "
            f"float32 values in base64, at most {MOST_VALUES}. Export the model again."
        )
    return StoredTest(tensors[0], tensors[1])


def run_stored_test(text: str, model: Model, path: Path) -> float:
    """Run the stored test of a model file, and return the largest difference from the output that is stored.

    Raises
    ------
    ModelError
        If the test is damaged, or does not fit the card; names `path`.
    DisagreementError
        If the network gives something else.
    """
    try:
        test = stored_test_from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    given = model.card.input
    _, channels, height, width = test.input.shape
    fits = (height, width) == tuple(given.tile_shape or (height, width))
    if channels != len(given.channels) or height % given.divisible_by or width % given.divisible_by or not fits:
        sizes = f"sides divisible by {given.divisible_by}"
        if given.tile_shape is not None:
            sizes = "{} x {} pixels alone".format(*given.tile_shape)
        raise ModelError(
            f"{path}: the stored test's input has the shape {test.input.shape}, which does not fit the card "
            f"({len(given.channels)} channels, {sizes}). Export the model again."
        )
    return check_agreement(
        model.predict(test.input), test.output, Tolerance(), f"{path}: the network and its stored test"
    )


def _tensor_to_dict(values: npt.NDArray[np.float32]) -> Any:
    content = base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")
    return {"shape": list(values.shape), "values": content}


def _tensor_from(content: Any) -> Optional[npt.NDArray[np.float32]]:
    if not isinstance(content, dict):
        return None
    shape, text = content.get("shape"), content.get("values")
    if not isinstance(shape, list) or len(shape) != 4 or not isinstance(text, str):
        return None
    if any(type(size) is not int or not 1 <= size <= MOST_VALUES for size in shape) or math.prod(shape) > MOST_VALUES:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != 4 * math.prod(shape):
        return None
    values = np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)
    return values if np.isfinite(values).all() else None
