"""Read the metadata of an ONNX file, such as its model card, without loading the network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Tuple, TypeVar

from cpunet.errors import ModelError
from cpunet.model.card import METADATA_KEY, ModelCard
from cpunet.model.card_limits import card_from_json
from cpunet.onnx_reader.model_file import ModelFile, what_is_no_file
from cpunet.onnx_reader.protobuf import LENGTH_DELIMITED, VARINT, ProtobufError, Reader, many, one

# Field numbers of ModelProto and StringStringEntryProto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
IR_VERSION, GRAPH, OPSET_IMPORT, METADATA_PROPS = 1, 7, 8, 14
OPSET_DOMAIN, OPSET_VERSION = 1, 2
ENTRY_KEY, ENTRY_VALUE = 1, 2

# So many fields are read in a tenth of a second; a model has some dozens besides its network.
MOST_FIELDS = 50_000
LARGEST_METADATA_BYTES = 32 * 2**20
# The card of a file that chooses among models: `cpunet.choice.card`.
CHOOSER_KEY = "cpunet.chooser_card"
STANDARD_DOMAINS = ("", "ai.onnx")

Found = TypeVar("Found")


def read_card(path: Path) -> ModelCard:
    """Read the model card of an ONNX file.

    Raises
    ------
    ModelError
        If the file is missing, empty, cut short or no ONNX file, or its card is missing or invalid.

    Notes
    -----
    Skips the network itself: it takes a millisecond for any size of file, and executes nothing.
    """
    return card_in(path, read_metadata(path))


def card_in(path: Path, metadata: Dict[str, str]) -> ModelCard:
    """Return the model card in the metadata of an ONNX file; ModelError if it is missing or invalid."""
    check_is_no_chooser(path, metadata)
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{path}: this ONNX file carries no cpunet model card, so it does not say what its channels mean or how "
            "its input must be prepared. Export it with `cpunet export`, or add a card with `cpunet card add`."
        )
    try:
        return card_from_json(metadata[METADATA_KEY])
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def check_is_no_chooser(path: Path, metadata: Dict[str, str]) -> None:
    """Raise ModelError if the metadata of an ONNX file are those of a file that chooses among models."""
    if CHOOSER_KEY in metadata:
        raise ModelError(
            f"{path}: this is no model but a file that chooses among models. Name the models, and give it as the file "
            "that chooses (in CellProfiler: Combine models; on the command line: --combine choose --chooser FILE)."
        )


def read_metadata(path: Path) -> Dict[str, str]:
    """Read the metadata_props of an ONNX file; ModelError if the file is missing, cut short or no ONNX file."""
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: {what_is_no_file(path)}")
    try:
        with path.open("rb") as stream:
            return _parsed(path, stream, _metadata)
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror or error}).") from None


def metadata_of(file: ModelFile) -> Dict[str, str]:
    """Return the metadata_props of a file that was read; ModelError if it is no ONNX file, or cut short."""
    return _parsed(file.path, file.stream(), _metadata)


def versions_of(file: ModelFile) -> Tuple[int, int]:
    """Return the IR version and the opset of ONNX's own operators, 0 where the file names none.

    Raises ModelError as `metadata_of` does.
    """
    return _parsed(file.path, file.stream(), _versions)


def _parsed(path: Path, stream: BinaryIO, read: Callable[[BinaryIO, int], Found]) -> Found:
    size = stream.seek(0, 2)
    if size == 0:
        raise ModelError(f"{path}: the model file is empty. Copy or download it again.")
    try:
        return read(stream, size)
    except ProtobufError as error:
        raise ModelError(
            f"{path}: this is no ONNX model, or one that was cut short ({size} bytes): {error}. Copy or download it "
            "again, or choose a file that ends in .onnx."
        ) from None


def _versions(stream: BinaryIO, size: int) -> Tuple[int, int]:
    reader = Reader(stream, MOST_FIELDS, LARGEST_METADATA_BYTES)
    model = reader.message(0, size)
    ir_version, opset = one(model, IR_VERSION, VARINT), 0
    for field in many(model, OPSET_IMPORT):
        entry = reader.message(field.start, field.stop)
        version = one(entry, OPSET_VERSION, VARINT)
        if reader.text(one(entry, OPSET_DOMAIN, LENGTH_DELIMITED)) in STANDARD_DOMAINS and version is not None:
            opset = max(opset, version.value)
    return ir_version.value if ir_version else 0, opset


def _metadata(stream: BinaryIO, size: int) -> Dict[str, str]:
    reader = Reader(stream, MOST_FIELDS, LARGEST_METADATA_BYTES)
    model = reader.message(0, size)
    if IR_VERSION not in model or GRAPH not in model:
        raise ProtobufError("it holds no network")
    metadata = {}
    for field in many(model, METADATA_PROPS):
        entry = reader.message(field.start, field.stop)
        key = reader.text(one(entry, ENTRY_KEY, LENGTH_DELIMITED))
        metadata[key] = reader.text(one(entry, ENTRY_VALUE, LENGTH_DELIMITED))
    return metadata


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()
