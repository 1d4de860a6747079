"""Read what an ONNX file says of itself without running, or even loading, the network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Tuple, TypeVar

from cpunet.errors import ModelError
from cpunet.model.card import METADATA_KEY, ModelCard
from cpunet.model.card_limits import read_card_text
from cpunet.onnx_reader.protobuf import LENGTH_DELIMITED, VARINT, ProtobufError, Reader, many, one

# Field numbers of ModelProto and StringStringEntryProto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
IR_VERSION, GRAPH, OPSET_IMPORT, METADATA_PROPS = 1, 7, 8, 14
OPSET_DOMAIN, OPSET_VERSION = 1, 2
ENTRY_KEY, ENTRY_VALUE = 1, 2

# Walking over so many fields takes a tenth of a second; a model has some dozens beside its network.
MOST_FIELDS = 50_000
LARGEST_METADATA_BYTES = 32 * 2**20
STANDARD_DOMAINS = ("", "ai.onnx")

Found = TypeVar("Found")


def read_card(path: Path) -> ModelCard:
    """Read the model card out of an ONNX file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ModelCard

    Raises
    ------
    ModelError
        If the file is missing, empty, cut short or no ONNX file, or its card is missing or unsound.

    Notes
    -----
    Skips the network itself, so this takes a millisecond whatever the file's size, and executes nothing.
    """
    metadata = read_metadata(path)
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{path}: this ONNX file carries no cpunet model card, so it does not say what its channels mean or how "
            "its input must be prepared. Export it with `cpunet export`, or add a card with `cpunet card add`."
        )
    try:
        return read_card_text(metadata[METADATA_KEY])
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def read_metadata(path: Path) -> Dict[str, str]:
    """Read the metadata_props of an ONNX file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to str

    Raises
    ------
    ModelError
        If the file is missing, empty, cut short or no ONNX file, or cannot be read.
    """
    return _read(path, metadata_of)


def read_versions(path: Path) -> Tuple[int, int]:
    """Read which versions of ONNX a file was written for.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ir_version, opset : int
        Of the file's format, and of ONNX's own operators; 0 where the file names none.

    Raises
    ------
    ModelError
        If the file is missing, empty, cut short or no ONNX file, or cannot be read.
    """
    return _read(path, versions_of)


def _read(path: Path, read: Callable[[BinaryIO, int], Found]) -> Found:
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: there is no such model file. Check its folder and its name.")
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            if size == 0:
                raise ModelError(f"{path}: the model file is empty. Copy or download it again.")
            return read(stream, size)
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror or error}).") from None
    except ProtobufError as error:
        raise ModelError(
            f"{path}: this is no ONNX model, or one that was cut short ({size} bytes): {error}. Copy or download it "
            "again, or choose a file that ends in .onnx."
        ) from None


def versions_of(stream: BinaryIO, size: int) -> Tuple[int, int]:
    """Read the IR version and the opset of an ONNX model's own operators.

    Parameters
    ----------
    stream : BinaryIO
        Can be searched; its beginning is the file's.
    size : int
        Bytes.

    Returns
    -------
    ir_version, opset : int

    Raises
    ------
    ProtobufError
        If it is no ONNX model, or was cut short.
    """
    reader = Reader(stream, MOST_FIELDS, LARGEST_METADATA_BYTES)
    model = reader.message(0, size)
    ir_version, opset = one(model, IR_VERSION, VARINT), 0
    for field in many(model, OPSET_IMPORT):
        entry = reader.message(field.start, field.stop)
        version = one(entry, OPSET_VERSION, VARINT)
        if reader.text(one(entry, OPSET_DOMAIN, LENGTH_DELIMITED)) in STANDARD_DOMAINS and version is not None:
            opset = max(opset, version.value)
    return ir_version.value if ir_version else 0, opset


def metadata_of(stream: BinaryIO, size: int) -> Dict[str, str]:
    """Read the metadata_props of an ONNX model.

    Parameters
    ----------
    stream : BinaryIO
        Can be searched; its beginning is the file's.
    size : int
        Bytes.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ProtobufError
        If it is no ONNX model, was cut short, or its metadata is longer than 32 MiB.
    """
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
    """Return a file's SHA-256 as hexadecimal text, by which a model is told from another of its name."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()
