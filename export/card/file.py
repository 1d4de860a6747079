"""Put a model card into an ONNX file; the file is replaced only if it then opens and runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from cpunet.errors import ModelError
from cpunet.export.card.schema import check_against_schema
from cpunet.files.images import written_beside
from cpunet.model.card import METADATA_KEY, card_from_json
from cpunet.model.session import OnnxModel, load_model
from cpunet.onnx_reader.metadata import read_metadata

# What float32 may leave above 1 or below 0 in a sum of a softmax, or after an interpolation.
PROBABILITY_TOLERANCE = 1e-3


def card_content(path: Path) -> dict[str, Any]:
    """Read a card's JSON out of an ONNX file, whether or not it is sound.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict

    Raises
    ------
    ModelError
        If the file is no ONNX file, or has no card, or one that is no JSON object.
    """
    metadata = read_metadata(path)
    if METADATA_KEY not in metadata:
        raise ModelError(f"{path}: this ONNX file carries no cpunet model card. `cpunet card add` writes one.")
    try:
        content = json.loads(metadata[METADATA_KEY])
    except ValueError as error:
        raise ModelError(f"{path}: the model card is not readable JSON: {error}.") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: the model card is not a JSON object.")
    return content


def checked_text(content: Mapping[str, Any]) -> str:
    """Check a card's content, and write it as it stands in the file.

    Parameters
    ----------
    content : mapping

    Returns
    -------
    str
        JSON with sorted keys, so that the same card gives the same bytes.

    Raises
    ------
    ModelError
        If `card_from_json` or the schema refuses it.
    """
    try:
        text = json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model card holds a value that JSON cannot: {error}.") from None
    card_from_json(text)  # first, as its messages are the clearer ones
    check_against_schema(json.loads(text))
    return text


def with_card(onnx_bytes: bytes, text: str) -> bytes:
    """Put a card, as JSON, into an ONNX file's bytes, as `with_metadata` does."""
    return with_metadata(onnx_bytes, METADATA_KEY, text)


def with_metadata(onnx_bytes: bytes, key: str, text: str) -> bytes:
    """Put an entry of the metadata into an ONNX file's bytes, and leave all others as they are.

    Parameters
    ----------
    onnx_bytes : bytes
    key : str
        An entry of this key is replaced.
    text : str

    Returns
    -------
    bytes

    Raises
    ------
    ModelError
        If the file holds two such entries, or one that was written in an unusual way.

    Notes
    -----
    The fields of a protobuf message may stand in any order and be appended, so nothing is read and written anew: a
    file of another program keeps what the package `onnx` does not know.
    """
    entries = network(onnx_bytes).metadata_props
    old = [_field(key, entry.value) for entry in entries if entry.key == key]
    if not old:
        return onnx_bytes + _field(key, text)
    if len(old) > 1 or onnx_bytes.count(old[0]) != 1:
        raise ModelError(
            f"The metadata {key} stands in this file in a way in which it cannot be replaced alone. Take the model as "
            "its author gave it, and use `cpunet card add`."
        )
    return onnx_bytes.replace(old[0], _field(key, text))


def network(onnx_bytes: bytes) -> onnx.ModelProto:
    """Read an ONNX file's bytes.

    Parameters
    ----------
    onnx_bytes : bytes

    Returns
    -------
    ModelProto

    Raises
    ------
    ModelError
        If they are damaged.
    """
    try:
        return onnx.ModelProto.FromString(onnx_bytes)
    except DecodeError as error:
        raise ModelError(f"This ONNX file is damaged: {error}. Copy or download it again.") from None


def _field(key: str, text: str) -> bytes:
    """Return one entry of the metadata as it stands in the file."""
    entry = onnx.StringStringEntryProto(key=key, value=text)
    field: bytes = onnx.ModelProto(metadata_props=[entry]).SerializeToString()
    return field


def replace_card(path: Path, onnx_bytes: bytes, text: str) -> None:
    """Write an ONNX file with a card in its place, after it was opened and run on the CPU.

    Parameters
    ----------
    path : Path
        Left as it is if anything fails.
    onnx_bytes : bytes
        Of the file, with or without a card.
    text : str
        The card's JSON.

    Raises
    ------
    ModelError
        If the network does not fit the card, or does not run.
    """
    with written_beside(path) as beside:
        beside.write_bytes(with_card(onnx_bytes, text))
        shutil.copymode(path, beside)
        with errors_name(path, instead_of=beside):
            check_runs(load_model(beside, device="cpu"))


@contextmanager
def errors_name(path: Path, instead_of: Path) -> Iterator[None]:
    """Let errors name the file that the user gave, instead of the copy that was tried."""
    try:
        yield
    except ModelError as error:
        raise ModelError(str(error).replace(str(instead_of.resolve()), str(path))) from None


def check_runs(model: OnnxModel) -> None:
    """Run a network on the smallest image that its card allows and on a larger one, and look at what it returns.

    Parameters
    ----------
    model : OnnxModel

    Raises
    ------
    ModelError
        If it fails, or returns something else than its card says.
    """
    given, unit = model.card.input, model.card.input.divisible_by
    smallest = -(-given.min_size // unit) * unit
    rng = np.random.default_rng(0)
    for shape in ((smallest, smallest), (smallest + unit, smallest + 3 * unit)):
        found = model.predict(rng.random((1, len(given.channels), *shape), np.float32))
        if not np.isfinite(found).all():
            raise ModelError(f"{model.path}: the network returns values that are no numbers, on noise between 0 and 1.")
        for role, plane in zip(model.card.output.roles, found[0], strict=True):
            if plane.min() < -PROBABILITY_TOLERANCE or plane.max() > 1 + PROBABILITY_TOLERANCE:
                way_out = (
                    "Divide it by its largest value in each object, within the network"
                    if role == "distance"
                    else "Export the network with its sigmoid or softmax inside, or check the order of the roles"
                )
                raise ModelError(
                    f"{model.path}: the channel {role} holds values from {plane.min():.3g} to {plane.max():.3g}; each "
                    f"must lie between 0 and 1. {way_out}."
                )
