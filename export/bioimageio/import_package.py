"""Turn a bioimage.io package into a model file: its ONNX weights, with a card and whatever its steps ask for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.checks.stored_test import STORED_TEST_KEY
from cpunet.errors import DisagreementError, ModelError
from cpunet.export.bioimageio.archive import Package, read_file
from cpunet.export.bioimageio.inputs_outputs import Ends, read_ends
from cpunet.export.bioimageio.steps import with_steps
from cpunet.export.card.answers import check_complete, with_defaults
from cpunet.export.card.declared import declared_channels
from cpunet.export.card.fields import flattened, with_field
from cpunet.export.card.file import check_runs, checked_text, errors_name, network, with_card, with_metadata
from cpunet.export.card.measured import computed_test, measured_fields
from cpunet.files.images import written_beside
from cpunet.model.card import METADATA_KEY, card_from_json, card_to_json
from cpunet.model.card_limits import read_card_text
from cpunet.model.session import OnnxModel, load_model
from cpunet.onnx_reader.safety import LARGEST_FILE_BYTES, check_stream
from cpunet.steps.prepare import normalize

LARGEST_TENSOR_BYTES = 2**26
# What a network makes of a larger test image may not fit into the memory.
MOST_TENSOR_VALUES = 2**23


def import_package(package: Package, output: Path, answers: Mapping[str, Any]) -> list[str]:
    """Write the model file, once it turns the package's test input into its test output.

    Parameters
    ----------
    package : Package
    output : Path
        Ends in ``.onnx``; its folder is made.
    answers : mapping
        The card's content as far as somebody answered for it; wins over the description.

    Returns
    -------
    list of str
        What was found out beside what the package and the answers say, a sentence each.

    Raises
    ------
    ModelError
        If the package's steps are not implemented, its weights cannot be used, an answer is missing, or the test
        output is not reproduced. Nothing is written then.
    """
    if output.suffix != ".onnx":
        raise ModelError(f"{output}: the name of a model file must end in .onnx.")
    ends = read_ends(package.description)
    weights = read_weights(package)
    check_stream(BytesIO(weights))  # before anything else reads it
    model = network(weights)
    declared = declared_channels(model)
    own = [entry.value for entry in model.metadata_props if entry.key == METADATA_KEY]
    content, inside = ends.known, weights
    if own:
        content = _own_card(own[0], ends)
    else:
        inside = with_steps(weights, ends.preprocessing.inside, ends.postprocessing)
    for name, value in flattened(answers).items():
        content = with_field(content, name, value)
    check_complete(content, declared)
    complete = with_defaults(content)
    checked_text(complete)  # before the minutes that measuring may take
    measured = {} if own else measured_fields(output, inside, content, complete)
    for name, value in measured.items():
        complete = with_field(complete, name, value)
    card = card_from_json(checked_text(complete))
    if not own:
        inside = with_metadata(inside, STORED_TEST_KEY, computed_test(output, inside, card_to_json(card)))
    output.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(output) as beside, errors_name(output, instead_of=beside):
        # A file whose own card was not changed keeps its bytes, and so its sum.
        same = own and card == card_from_json(own[0])
        beside.write_bytes(inside if same else with_card(inside, card_to_json(card)))
        opened = load_model(beside, device="cpu")
        check_runs(opened)
        agreement = check_test(package, ends, opened)
    return [*[f"{name}: {value}, measured" for name, value in measured.items()], *_inexact(ends), agreement]


def _inexact(ends: Ends) -> list[str]:
    if ends.preprocessing.exact:
        return []
    return ["pixels that normalization makes darker than -1 become -1, which the package does not ask for"]


def _own_card(text: str, ends: Ends) -> dict[str, Any]:
    """Check that the card inside the weights says the same as the description around them."""
    card = read_card_text(text)
    inside = [*ends.preprocessing.inside, *ends.postprocessing]
    own, asked = card.input.normalization, ends.preprocessing.normalization
    if inside or (own != asked and not own.kind == asked.kind == "none"):
        raise ModelError(
            f"the card in its weights asks for {own}, and its description for {asked}"
            f"{' and further steps' if inside else ''}. Ask its author which is right."
        )
    content: dict[str, Any] = json.loads(text)
    return content


def check_test(package: Package, ends: Ends, model: OnnxModel) -> str:
    """Run the package's test input the way cpunet does, and compare with its test output.

    Parameters
    ----------
    package : Package
    ends : Ends
    model : OnnxModel

    Returns
    -------
    str
        How well they agree.

    Raises
    ------
    ModelError
        If they do not.
    """
    image = read_tensor(package, ends.input, "its test input")
    expected = read_tensor(package, ends.output, "its test output")
    if image.ndim != 4 or image.shape[1] != len(model.card.input.channels) or 0 in image.shape:
        raise ModelError(f"{package.path}: its test input has the shape {image.shape}; (N, C, Y, X) is needed.")
    prepared = np.stack([normalize(planes, model.card.input.normalization) for planes in image])
    try:
        difference = check_agreement(model.predict(prepared), expected, Tolerance(), "cpunet and the package")
    except DisagreementError as error:
        raise ModelError(
            f"{package.path}: its test output is not what the network makes of its test input after cpunet's "
            f"normalization: {error}"
        ) from None
    return f"the package's test output is reproduced to {difference:.1g}"


def read_weights(package: Package) -> bytes:
    """Read the ONNX weights of a package.

    Parameters
    ----------
    package : Package

    Returns
    -------
    bytes
        Not checked.

    Raises
    ------
    ModelError
        If there are none.
    """
    weights = package.description.get("weights")
    formats = weights if isinstance(weights, dict) else {}
    entry = formats.get("onnx")
    if not isinstance(entry, dict):
        raise ModelError(
            f"{package.path}: its weights are {', '.join(map(str, formats)) or 'not described'}, and ONNX is needed. "
            "Convert them with the program that trained them, or with `bioimageio add-weights`."
        )
    if entry.get("external_data"):
        raise ModelError(f"{package.path}: its ONNX weights lie in two files, and a model must be one.")
    return read_file(package, entry, "its ONNX weights", LARGEST_FILE_BYTES)


def read_tensor(package: Package, tensor: Mapping[str, Any], what: str) -> NDArray[np.float32]:
    """Read a test tensor of a package.

    Parameters
    ----------
    package : Package
    tensor : mapping
        Of the description's inputs or outputs.
    what : str
        Names it in messages.

    Returns
    -------
    ndarray of float32
        Of any shape.

    Raises
    ------
    ModelError
        If there is none, or it is no sound .npy file of numbers.
    """
    content = read_file(package, tensor.get("test_tensor"), what, LARGEST_TENSOR_BYTES)
    stream = BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read_header(stream)
        held = len(content) - stream.tell()
        if dtype.kind not in "biuf" or len(shape) > 8 or math.prod(shape) * dtype.itemsize != held:
            raise ValueError(f"it declares {dtype} {shape}, and holds {held} bytes")
        if math.prod(shape) > MOST_TENSOR_VALUES:
            raise ValueError(f"it has {math.prod(shape)} values, and {MOST_TENSOR_VALUES} at most are tried")
        values = np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if by_columns else "C")
    except (ValueError, TypeError, OverflowError, RecursionError, SyntaxError, MemoryError) as error:
        raise ModelError(f"{package.path}: {what} are no sound .npy file of numbers: {error}.") from None
    return values.astype(np.float32)
