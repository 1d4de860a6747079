"""The test inside a model file: one input, and the output that the network must give on any machine."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import ModelError
from cpunet.model.card import InputCard
from cpunet.steps.prepare import normalize

STORED_TEST_KEY = "cpunet.stored_test"
SMALLEST_SIDE_PX = 64
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


def synthetic_input(given: InputCard) -> npt.NDArray[np.float32]:
    """Make the input of a stored test, (1, C, Y, X), float32: synthetic nuclei, normalized for the model.

    Each channel is another field of nuclei of the trained diameter, some of which touch. Values are rounded to 1/4096,
    so that the same card gives the same bytes on any machine.
    """
    unit = given.divisible_by
    side = -(-max(SMALLEST_SIDE_PX, given.min_size) // unit) * unit
    columns = max(1, int(side / (2 * given.diameter_px)))
    fields = [
        synthetic_field((side, side), columns, min(given.diameter_px, side / 3), touching=True, seed=seed).image
        for seed in range(len(given.channels))
    ]
    normalized = normalize(np.stack(fields), given.normalization, None)
    return (np.round(normalized * 4096) / 4096).astype(np.float32)[np.newaxis]


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
