"""Read what an ONNX file says of itself without running, or even loading, the network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, Tuple, Union

from cpunet.model_card import METADATA_KEY, ModelCard, ModelError, card_from_json

# Field numbers of ModelProto and StringStringEntryProto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
IR_VERSION, GRAPH, METADATA_PROPS = 1, 7, 14
ENTRY_KEY, ENTRY_VALUE = 1, 2
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

LARGEST_METADATA_BYTES = 16 * 2**20


class _NotProtobufError(Exception):
    """The bytes do not follow protobuf's wire format, or end too early."""


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
            "its input must be prepared. Export it with `cpunet export`."
        )
    try:
        return card_from_json(metadata[METADATA_KEY])
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
        If the file is missing, empty, cut short or no ONNX file.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: there is no such model file. Check its folder and its name.")
    size = path.stat().st_size
    if size == 0:
        raise ModelError(f"{path}: the model file is empty. Copy or download it again.")
    not_onnx = ModelError(
        f"{path}: this is no ONNX model, or one that was cut short ({size} bytes). Copy or download it again, or "
        "choose a file that ends in .onnx."
    )
    metadata = {}
    found = set()
    try:
        with path.open("rb") as stream:
            for number, value in _fields(stream, size):
                found.add(number)
                if number == METADATA_PROPS and isinstance(value, tuple):
                    key, text = _entry(stream, *value)
                    metadata[key] = text
    except (_NotProtobufError, UnicodeDecodeError):
        raise not_onnx from None
    if not {IR_VERSION, GRAPH} <= found:
        raise not_onnx
    return metadata


def sha256(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal text, by which a model is told from another of its name."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        for block in iter(lambda: stream.read(2**20), b""):
            digest.update(block)
    return digest.hexdigest()


def _fields(stream: BinaryIO, stop: int) -> Iterator[Tuple[int, Union[int, Tuple[int, int]]]]:
    """Walk over a message's fields up to `stop`; those with a length give (start, length) and are not read."""
    while stream.tell() < stop:
        tag = _varint(stream)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise _NotProtobufError
        if kind == VARINT:
            yield number, _varint(stream)
            continue
        if kind == LENGTH_DELIMITED:
            length = _varint(stream)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise _NotProtobufError
        start = stream.tell()
        if start + length > stop:
            raise _NotProtobufError
        yield number, (start, length)
        stream.seek(start + length)


def _entry(stream: BinaryIO, start: int, length: int) -> Tuple[str, str]:
    """Read one pair of metadata."""
    if length > LARGEST_METADATA_BYTES:
        raise _NotProtobufError
    stream.seek(start)
    texts = {ENTRY_KEY: "", ENTRY_VALUE: ""}
    for number, value in _fields(stream, start + length):
        if number in texts and isinstance(value, tuple):
            stream.seek(value[0])
            texts[number] = stream.read(value[1]).decode("utf-8")
    return texts[ENTRY_KEY], texts[ENTRY_VALUE]


def _varint(stream: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise _NotProtobufError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _NotProtobufError
