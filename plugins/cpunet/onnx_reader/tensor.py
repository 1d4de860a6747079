"""Read what a tensor in an ONNX file declares, and how many bytes the file holds for it; weights are not read."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

import numpy as np

from cpunet.onnx_reader.protobuf import LENGTH_DELIMITED, VARINT, Field, Message, ProtobufError, Reader, many, one

LONGEST_VALUES = 64  # longer lists of numbers are weights, and are not read

FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, BOOL = 1, 2, 3, 4, 5, 6, 7, 9
FLOAT16, DOUBLE, UINT32, UINT64, COMPLEX64, COMPLEX128 = 10, 11, 12, 13, 14, 15
INTEGERS = (UINT8, INT8, UINT16, INT16, INT32, INT64, UINT32, UINT64)
# Bits of an element, by TensorProto.DataType. Texts are left out: an image network has none.
BITS = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, INT16, FLOAT16, 16), 16),
    **dict.fromkeys((FLOAT, INT32, 12), 32),
    **dict.fromkeys((INT64, DOUBLE, 13, COMPLEX64), 64),
    **{COMPLEX128: 128, 21: 4, 22: 4, 23: 4, 25: 2, 26: 2},
}
# The types that another program may have chosen for its input or output.
TYPE_NAMES = {2: "uint8", 3: "int8", 4: "uint16", INT32: "int32", INT64: "int64", 9: "bool", DOUBLE: "float64"}
FORMATS = {
    **{FLOAT: "f", UINT8: "B", INT8: "b", INT16: "h", INT32: "i", INT64: "q"},
    **{BOOL: "?", FLOAT16: "e", DOUBLE: "d"},
}
DTYPES = {
    **{FLOAT: np.float32, UINT8: np.uint8, INT8: np.int8, INT16: np.int16, INT32: np.int32, INT64: np.int64},
    **{BOOL: np.bool_, FLOAT16: np.float16, DOUBLE: np.float64},
}

Numbers = Tuple[Union[int, float], ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor in the file.

    Attributes
    ----------
    name : str
    data_type : int
        TensorProto.DataType.
    dims : tuple of int
    stored_bytes : int
    bits_each : int
        Bits of an element in the file; the fewest possible, if not `exact`.
    exact : bool
        False where an element is a number of one to ten bytes.
    elsewhere : str, optional
        The name of another file that holds the values.
    values : tuple of int or float, optional
        None if there are many, or they are of an unusual type.
    """

    name: str
    data_type: int
    dims: Tuple[int, ...]
    stored_bytes: int
    bits_each: int
    exact: bool
    elsewhere: Optional[str]
    values: Optional[Numbers]


def read_tensor(reader: Reader, tensor: Field) -> Tensor:
    """Read what a TensorProto declares; ProtobufError if it is malformed, or holds its values twice."""
    message = reader.message(tensor.start, tensor.stop)
    if 3 in message:
        raise ProtobufError(f"the tensor at byte {tensor.start} is cut into segments")
    if size_bytes(message, (1,)) > LONGEST_VALUES * 10:
        raise ProtobufError(f"the tensor at byte {tensor.start} has more than {LONGEST_VALUES} dimensions")
    kind = one(message, 2, VARINT)
    data_type = kind.value if kind else 0
    location = one(message, 14, VARINT)
    elsewhere = None
    if (location and location.value) or 13 in message:
        entries = [reader.message(entry.start, entry.stop) for entry in many(message, 13)]
        texts = {
            reader.text(one(entry, 1, LENGTH_DELIMITED)): reader.text(one(entry, 2, LENGTH_DELIMITED))
            for entry in entries
        }
        elsewhere = texts.get("location", "")
    holders = [number for number in (9, 4, 10, 5, 7, 11) if number in message]
    if len(holders) > 1:
        raise ProtobufError(f"the tensor at byte {tensor.start} holds its values twice")
    holder = holders[0] if holders else 9
    bits = BITS.get(data_type, 8)
    if holder in (4, 10):  # floats and doubles of a fixed size, two for a complex number
        bits = (32 if holder == 4 else 64) * (2 if data_type in (COMPLEX64, COMPLEX128) else 1)
    elif holder != 9:
        bits = min(bits, 8)
    raw = one(message, 9, LENGTH_DELIMITED)
    stored = raw.stop - raw.start if raw else size_bytes(message, (holder,))
    return Tensor(
        name=reader.text(one(message, 8, LENGTH_DELIMITED)),
        data_type=data_type,
        dims=tuple(reader.integers(message.get(1, []))),
        stored_bytes=stored,
        bits_each=bits,
        exact=holder in (9, 4, 10),
        elsewhere=elsewhere,
        values=_values(reader, message, data_type, holder) if stored <= LONGEST_VALUES * 8 else None,
    )


def _values(reader: Reader, message: Message, data_type: int, holder: int) -> Optional[Numbers]:
    fields = message.get(holder, [])
    if holder == 9 and data_type in FORMATS:
        return unpacked(reader, fields, FORMATS[data_type])
    if (holder, data_type) in ((4, FLOAT), (10, DOUBLE)):
        return unpacked(reader, fields, FORMATS[data_type])
    if (holder == 5 and data_type in (UINT8, INT8, INT16, INT32, BOOL)) or (holder, data_type) == (7, INT64):
        return tuple(reader.integers(fields))
    return None


def unpacked(reader: Reader, fields: List[Field], code: str) -> Numbers:
    """Read numbers of a fixed size, packed or not; half a number at the end is dropped."""
    content = b"".join(reader.content(field) for field in fields)
    count = len(content) // struct.calcsize(f"<{code}")
    return struct.unpack_from(f"<{count}{code}", content)


def size_bytes(message: Message, numbers: Tuple[int, ...]) -> int:
    """Return the bytes that fields take, one for each varint."""
    return sum(
        1 if field.kind == VARINT else field.stop - field.start
        for number in numbers
        for field in message.get(number, [])
    )
