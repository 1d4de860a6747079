"""Read a protobuf message in a file field by field, without reading what is skipped or trusting a length."""

from __future__ import annotations

from typing import BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Tuple

# Wire types, https://protobuf.dev/programming-guides/encoding/; 3 and 4, groups, are in no ONNX file.
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

LARGEST_TAG = 2**32 - 1  # protobuf reads 32 bits of a tag, and would take a longer one for another field
LONGEST_HEAD_BYTES = 20  # a tag and a length, 10 bytes each at most


class ProtobufError(Exception):
    """The bytes do not follow protobuf's wire format, end too early, or hold more than may be read."""


class Field(NamedTuple):
    """One field of a message.

    Attributes
    ----------
    number : int
    kind : int
        Its wire type.
    value : int
        Of a varint, 0..2**64 - 1; otherwise 0.
    start, stop : int
        Where its content is in the file, bytes.
    """

    number: int
    kind: int
    value: int
    start: int
    stop: int


Message = Dict[int, List[Field]]


class Reader:
    """Reads the messages of a file, up to a number of fields and of bytes, so that no file takes long.

    Parameters
    ----------
    stream : BinaryIO
        Can be searched.
    most_fields, most_bytes : int
        How much may be read of the whole file; bytes that are skipped do not count.
    """

    def __init__(self, stream: BinaryIO, most_fields: int, most_bytes: int) -> None:
        self._stream = stream
        self._most_fields = self._fields_left = most_fields
        self._most_bytes = self._bytes_left = most_bytes

    def fields(self, start: int, stop: int) -> Iterator[Field]:
        """Yield the fields of the message between two positions, bytes.

        Raises ProtobufError if there is anything but fields, or more of them than may be read.
        """
        while start < stop:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise ProtobufError(f"it has more than {self._most_fields} fields")
            self._stream.seek(start)
            head = self._stream.read(min(LONGEST_HEAD_BYTES, stop - start))
            tag, length = _varint(head, 0)
            number, kind = tag >> 3, tag & 7
            if not 0 < tag <= LARGEST_TAG or number == 0:
                raise ProtobufError(f"byte {start} begins no field")
            value, size = 0, 0
            if kind == VARINT:
                value, length = _varint(head, length)
            elif kind == LENGTH_DELIMITED:
                size, length = _varint(head, length)
            elif kind in (FIXED32, FIXED64):
                size = 4 if kind == FIXED32 else 8
            else:
                raise ProtobufError(f"byte {start} begins no field")
            content = start + length
            if content + size > stop:
                raise ProtobufError(
                    f"the field at byte {start} claims {size} bytes and {max(0, stop - content)} are left"
                )
            start = content + size
            yield Field(number, kind, value, content, start)

    def message(self, start: int, stop: int) -> Message:
        """Return the fields of the message between two positions by their number, each in order."""
        found: Message = {}
        for field in self.fields(start, stop):
            found.setdefault(field.number, []).append(field)
        return found

    def content(self, field: Field) -> bytes:
        """Read the content of a field that is no varint; ProtobufError if that is more than may be read."""
        size = field.stop - field.start
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise ProtobufError(f"its texts are longer than {self._most_bytes} bytes")
        self._stream.seek(field.start)
        return self._stream.read(size)

    def text(self, field: Optional[Field]) -> str:
        """Read a text, '' where there is no such field; ProtobufError if it is not UTF-8, or too long."""
        if field is None:
            return ""
        try:
            return self.content(field).decode("utf-8")
        except UnicodeDecodeError:
            raise ProtobufError(f"the text at byte {field.start} is no UTF-8") from None

    def integers(self, fields: List[Field]) -> List[int]:
        """Read a repeated int64, packed or not."""
        found = []
        for field in fields:
            if field.kind == VARINT:
                found.append(signed(field.value))
                continue
            packed, at = self.content(of_kind(field, LENGTH_DELIMITED)), 0
            while at < len(packed):
                value, at = _varint(packed, at)
                found.append(signed(value))
        return found


def one(message: Message, number: int, kind: int) -> Optional[Field]:
    """Return the only field of a number and wire type, or None.

    Raises ProtobufError if it occurs twice, because protobuf would merge the two, or has another wire type, because
    protobuf would skip it: what is checked must be what is run.
    """
    found = message.get(number, [])
    if len(found) > 1:
        raise ProtobufError(f"the field at byte {found[1].start} occurs twice")
    return of_kind(found[0], kind) if found else None


def many(message: Message, number: int) -> List[Field]:
    """Return all fields of a number, each a text or a message."""
    return [of_kind(field, LENGTH_DELIMITED) for field in message.get(number, [])]


def of_kind(field: Field, kind: int) -> Field:
    """Return the field if it has a wire type, and raise ProtobufError otherwise."""
    if field.kind != kind:
        raise ProtobufError(f"the field at byte {field.start} is of another type than ONNX's")
    return field


def signed(value: int) -> int:
    """Return a varint as the int64 that it stands for."""
    return value - 2**64 if value >= 2**63 else value


def _varint(content: bytes, at: int) -> Tuple[int, int]:
    """Return the varint at a position, and the position behind it."""
    value = 0
    for index, byte in enumerate(content[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & 2**64 - 1, at + index + 1
    raise ProtobufError("a number is cut short")
