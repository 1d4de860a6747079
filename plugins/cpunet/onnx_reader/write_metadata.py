"""Set one entry of the metadata in an ONNX file's bytes, without the package onnx, and leave all else as it is."""

from __future__ import annotations

import io
from typing import Tuple

from cpunet.errors import ModelError
from cpunet.onnx_reader.metadata import ENTRY_KEY, ENTRY_VALUE, LARGEST_METADATA_BYTES, METADATA_PROPS, MOST_FIELDS
from cpunet.onnx_reader.protobuf import LENGTH_DELIMITED, ProtobufError, Reader, many


def with_metadata(onnx_bytes: bytes, key: str, text: str) -> bytes:
    """Set one entry of the metadata in an ONNX file's bytes, and leave all others as they are.

    Parameters
    ----------
    onnx_bytes : bytes
    key : str
        An entry that is there is replaced in its place; a new one comes last.
    text : str

    Raises
    ------
    ModelError
        If the file is damaged, or holds two such entries.

    Notes
    -----
    The fields of a protobuf message may stand in any order, so the file is not parsed and written anew: the network
    keeps its bytes.
    """
    entry = _field(METADATA_PROPS, _field(ENTRY_KEY, key.encode()) + _field(ENTRY_VALUE, text.encode()))
    try:
        start, stop = _place_of(onnx_bytes, key)
    except ProtobufError as error:
        raise ModelError(f"This ONNX file is damaged: {error}. Copy or download it again.") from None
    return onnx_bytes[:start] + entry + onnx_bytes[stop:]


def _place_of(onnx_bytes: bytes, key: str) -> Tuple[int, int]:
    """Return where the field of an entry begins and ends, bytes; the end of the file twice if there is none."""
    reader = Reader(io.BytesIO(onnx_bytes), MOST_FIELDS, LARGEST_METADATA_BYTES)
    places, begin = [], 0
    for field in reader.fields(0, len(onnx_bytes)):
        if field.number == METADATA_PROPS and field.kind == LENGTH_DELIMITED:
            keys = [reader.text(each) for each in many(reader.message(field.start, field.stop), ENTRY_KEY)]
            places += [(begin, field.stop)] * keys.count(key)
        begin = field.stop
    if len(places) > 1:
        raise ModelError(
            f"The metadata {key} stands in this file {len(places)} times, so that none can be replaced. Take the model "
            "as its author gave it, and use `cpunet card add`."
        )
    return places[0] if places else (len(onnx_bytes), len(onnx_bytes))


def _field(number: int, content: bytes) -> bytes:
    """Encode a field of bytes: its number and wire type, its length, its content."""
    return _varint(number << 3 | LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])
