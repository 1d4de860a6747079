"""Read, check and write the model card in an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from cpunet.checks.stored_test import STORED_TEST_KEY, StoredInstancesTest, StoredTest, stored_test_to_json
from cpunet.checks.synthetic import synthetic_input
from cpunet.errors import ModelError
from cpunet.export.card.schema import check_against_schema
from cpunet.export.put_in_place import put_in_place
from cpunet.model.axes import least_sizes, units
from cpunet.model.card import INSTANCES, METADATA_KEY, ModelCard, card_to_json
from cpunet.model.card_limits import card_from_json
from cpunet.model.instances import Instances
from cpunet.model.session import OnnxModel, load_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.onnx_reader.write_metadata import with_metadata
from cpunet.steps.tiling import Predict


def card_content(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Read a card's JSON out of the metadata of an ONNX file, without checking it.

    Raises
    ------
    ModelError
        If there is no card, or one that is no JSON object; names `path`.
    """
    if METADATA_KEY not in metadata:
        raise ModelError(f"{path}: this ONNX file carries no cpunet model card. `cpunet card add` writes one.")
    try:
        content = json.loads(metadata[METADATA_KEY])
    except ValueError as error:
        raise ModelError(f"{path}: the model card is not readable JSON: {error}.") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: the model card is not a JSON object.")
    return content


def checked_card(content: Mapping[str, Any]) -> ModelCard:
    """Build a card from the content of its JSON.

    Raises
    ------
    ModelError
        If `card_from_json` or the schema refuses it.
    """
    return card_from_json(checked_text(content))


def checked_text(content: Mapping[str, Any]) -> str:
    """Write a card's content as JSON text, after the same checks as in `checked_card`."""
    try:
        text = json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model card holds a value that JSON cannot: {error}.") from None
    card_from_json(text)  # first, as its messages are the clearer ones
    check_against_schema(json.loads(text))
    return text


def with_card_and_test(
    onnx_bytes: bytes, card: ModelCard, predict: Predict | Callable[[NDArray[np.float32]], Instances]
) -> bytes:
    """Add a card, and a test that shows on any machine whether the network computes the same there.

    Parameters
    ----------
    onnx_bytes : bytes
        Without a card.
    card : ModelCard
    predict : callable
        Computes the test's output from its input: probabilities, or objects if the card says so. In double precision
        its last digit depends on no machine.
    """
    image = synthetic_input(card.input)
    output = predict(image)
    of_objects = isinstance(output, Instances)
    test = stored_test_to_json(StoredInstancesTest(image, output) if of_objects else StoredTest(image, output))
    return with_metadata(with_metadata(onnx_bytes, METADATA_KEY, card_to_json(card)), STORED_TEST_KEY, test)


def network(onnx_bytes: bytes) -> onnx.ModelProto:
    """Parse an ONNX file's bytes.

    Raises
    ------
    ModelError
        If they are damaged.
    """
    try:
        return onnx.ModelProto.FromString(onnx_bytes)
    except DecodeError as error:
        raise ModelError(f"This ONNX file is damaged: {error}. Copy or download it again.") from None


def put_runnable(path: Path, content: bytes) -> None:
    """Put an ONNX file with a card in its place, if it opens and runs on the CPU.

    Raises
    ------
    ModelError
        If the network does not fit the card, or does not run. The file is left as it was.
    """
    with put_in_place(path, content) as beside:
        check_runs(load_model(beside, device="cpu"))


def sum_lines(path: Path, before: str) -> list[str]:
    """Say by which sums a changed file is known, as results record them."""
    lines = [f"SHA-256 before  {before}", f"SHA-256 after   {sha256(path)}"]
    readme = path.with_name("README.md")
    if readme.is_file() and before in readme.read_text(encoding="utf-8", errors="replace"):
        lines.append(f"{readme} names the sum before: write the new one into it.")
    return lines


def check_runs(model: OnnxModel) -> None:
    """Run a network on the smallest image or volume that its card allows and on a larger one, or on the only one.

    Raises
    ------
    ModelError
        If it fails, or returns something else than its card says.
    """
    given = model.card.input
    smallest = least_sizes(given)
    larger = (1,) * (len(smallest) - 1) + (3,)
    rng = np.random.default_rng(0)
    sizes = [
        smallest,
        tuple(size + more * unit for size, more, unit in zip(smallest, larger, units(given), strict=True)),
    ]
    for shape in sizes if given.tile_shape is None else [given.tile_shape]:
        noise = rng.random((1, len(given.channels), *shape), np.float32)
        if model.card.output.kind == INSTANCES:
            model.find_instances(noise)
        else:
            model.predict(noise)
