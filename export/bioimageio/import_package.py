"""Turn a bioimage.io package into a model file: its ONNX weights, with its steps inside and a card."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from bioimageio.spec.model.v0_5 import InputTensorDescr, OutputTensorDescr
from numpy.typing import NDArray

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.errors import DisagreementError, ModelError
from cpunet.export.bioimageio.archive import Package, read_file
from cpunet.export.bioimageio.inputs_outputs import Contract, read_contract
from cpunet.export.bioimageio.steps import with_steps
from cpunet.export.card.add import with_answers
from cpunet.export.card.fields import flattened, with_field
from cpunet.export.card.file import check_runs, checked_card, network, with_metadata
from cpunet.export.put_in_place import errors_name, put_in_place
from cpunet.model.card import METADATA_KEY, card_to_json
from cpunet.model.card_limits import card_from_json
from cpunet.model.session import OnnxModel, load_model
from cpunet.onnx_reader.model_file import LARGEST_FILE_BYTES, read_model_file
from cpunet.onnx_reader.safety import check_stream
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
        What was found out beside the package's and the user's answers, a sentence each.

    Raises
    ------
    ModelError
        If the package's steps are not implemented, its weights cannot be used, an answer is missing, or the test
        output is not reproduced. Nothing is written then.
    """
    if output.suffix != ".onnx":
        raise ModelError(f"{output}: the name of a model file must end in .onnx.")
    contract = read_contract(package.description)
    weights = read_weights(package)
    check_stream(BytesIO(weights))  # before anything else reads it
    own = [entry.value for entry in network(weights).metadata_props if entry.key == METADATA_KEY]
    measured: dict[str, int] = {}
    if own:
        card = checked_card(with_answers_for(_own_card(own[0], contract), answers))
        # A file whose own card was not changed keeps its bytes, and so its sum.
        same = card == card_from_json(own[0])
        content = weights if same else with_metadata(weights, METADATA_KEY, card_to_json(card))
    else:
        with tempfile.TemporaryDirectory() as folder:
            bare = Path(folder) / output.name
            bare.write_bytes(with_steps(weights, contract.preprocessing.inside, contract.postprocessing))
            with errors_name(output, instead_of=bare):
                content, measured = with_answers(read_model_file(bare), with_answers_for(contract.known, answers))
    with put_in_place(output, content) as beside:
        model = load_model(beside, device="cpu")
        check_runs(model)
        agreement = check_test(package, contract, model)
    return [*[f"{name}: {value}, measured" for name, value in measured.items()], *_inexact(contract), agreement]


def with_answers_for(content: dict[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's content with a user's answers in place of its own."""
    for name, value in flattened(answers).items():
        content = with_field(content, name, value)
    return content


def _inexact(contract: Contract) -> list[str]:
    if contract.preprocessing.exact:
        return []
    return ["pixels that normalization makes darker than -1 become -1, which the package does not ask for"]


def _own_card(text: str, contract: Contract) -> dict[str, Any]:
    """Check that the card inside the weights says the same as the description around them."""
    card = card_from_json(text)
    inside = [*contract.preprocessing.inside, *contract.postprocessing]
    own, asked = card.input.normalization, contract.preprocessing.normalization
    if inside or (own != asked and not own.kind == asked.kind == "none"):
        raise ModelError(
            f"the card in its weights asks for {own}, and its description for {asked}"
            f"{' and further steps' if inside else ''}. Ask its author which is right."
        )
    content: dict[str, Any] = json.loads(text)
    return content


def check_test(package: Package, contract: Contract, model: OnnxModel) -> str:
    """Run the package's test input the way cpunet does, and say how well the result agrees with its test output."""
    image = read_tensor(package, contract.input, "its test input")
    expected = read_tensor(package, contract.output, "its test output")
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
    """Read the ONNX weights of a package, without checking them."""
    formats = package.description.weights
    entry = formats.onnx
    if entry is None:
        found = [name for name in type(formats).model_fields if getattr(formats, name) is not None]
        raise ModelError(
            f"{package.path}: its weights are {', '.join(found)}, and ONNX is needed. Convert them with the program "
            "that trained them, or with `bioimageio add-weights`."
        )
    if entry.external_data is not None:
        raise ModelError(f"{package.path}: its ONNX weights lie in two files, and a model must be one.")
    return read_file(package, entry, "its ONNX weights", LARGEST_FILE_BYTES)


def read_tensor(package: Package, tensor: InputTensorDescr | OutputTensorDescr, what: str) -> NDArray[np.float32]:
    """Read a test tensor of any shape; `what` names it in messages."""
    if tensor.test_tensor is None:
        raise ModelError(f"{package.path}: it has no test tensor for {tensor.id}, so it cannot be checked.")
    content = read_file(package, tensor.test_tensor, what, LARGEST_TENSOR_BYTES)
    try:
        values = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"it holds {values.dtype}")
        if values.size > MOST_TENSOR_VALUES:
            raise ValueError(f"it has {values.size} values, and {MOST_TENSOR_VALUES} at most are tried")
    except (ValueError, TypeError, EOFError, OverflowError, RecursionError, SyntaxError, MemoryError) as error:
        raise ModelError(f"{package.path}: {what} are no sound .npy file of numbers: {error}.") from None
    return values.astype(np.float32)
