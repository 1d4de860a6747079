"""Read what an ONNX file declares: its nodes, the shapes of its weights, its input and output; no weight is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from cpunet.onnx_reader.protobuf import (
    FIXED32,
    LENGTH_DELIMITED,
    VARINT,
    Field,
    Message,
    ProtobufError,
    Reader,
    many,
    of_kind,
    one,
    signed,
)
from cpunet.onnx_reader.tensor import LONGEST_VALUES, Tensor, read_tensor, size_bytes, unpacked

# Field numbers here and below: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
NODE, INITIALIZER, INPUT, OUTPUT, SPARSE_INITIALIZER = 1, 5, 11, 12, 15
# AttributeProto.AttributeType
OF_FLOAT, OF_INT, OF_TEXT, OF_TENSOR, OF_GRAPH, OF_FLOATS, OF_INTS = 1, 2, 3, 4, 5, 6, 7
LONGEST_TEXT = 200


class GraphInNodeError(ProtobufError):
    """A node holds a network of its own, as conditions and loops do."""


@dataclass(frozen=True)
class Node:
    """One step of the network.

    Attributes
    ----------
    operator, domain, name : str
        ONNX's own domain is ''.
    inputs, outputs : tuple of str
        '' where an optional one is left out.
    attributes : dict
        int, float, str, Tensor, or tuple of int or float by name; None for a long list.
    """

    operator: str
    domain: str
    name: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    attributes: Dict[str, Any]


@dataclass(frozen=True)
class Declared:
    """A declared input or output.

    Attributes
    ----------
    name : str
    data_type : int, optional
        None if it is no tensor.
    dims : tuple of int or None, optional
        None where a size is free, and for all of it if no shape is declared.
    """

    name: str
    data_type: Optional[int]
    dims: Optional[Tuple[Optional[int], ...]]


@dataclass(frozen=True)
class Network:
    """The graph of a file.

    Attributes
    ----------
    nodes : list of Node
        In the order of the file.
    tensors : list of Tensor
        Weights; those of Constant nodes are their attributes.
    inputs, outputs : list of Declared
    """

    nodes: List[Node]
    tensors: List[Tensor]
    inputs: List[Declared]
    outputs: List[Declared]


def read_network(reader: Reader, graph: Field) -> Network:
    """Read what a GraphProto declares; ProtobufError if it is malformed, or holds sparse weights."""
    message = reader.message(graph.start, graph.stop)
    if SPARSE_INITIALIZER in message:
        raise ProtobufError("it holds sparse weights, which declare more than they hold")
    return Network(
        [_read_node(reader, node) for node in many(message, NODE)],
        [read_tensor(reader, tensor) for tensor in many(message, INITIALIZER)],
        [read_declared(reader, value) for value in many(message, INPUT)],
        [read_declared(reader, value) for value in many(message, OUTPUT)],
    )


def _read_node(reader: Reader, node: Field) -> Node:
    message = reader.message(node.start, node.stop)
    operator = reader.text(one(message, 4, LENGTH_DELIMITED))
    attributes: Dict[str, Any] = {}
    for part in many(message, 5):
        attribute = reader.message(part.start, part.stop)
        name = reader.text(one(attribute, 1, LENGTH_DELIMITED))
        if name in attributes:
            raise ProtobufError(f"the attribute at byte {part.start} occurs twice")
        kind = one(attribute, 20, VARINT)
        if kind is not None and kind.value == OF_GRAPH:
            raise GraphInNodeError(operator)
        attributes[name] = _read_attribute(reader, part, attribute, kind.value if kind else 0)
    return Node(
        operator=operator,
        domain=reader.text(one(message, 7, LENGTH_DELIMITED)),
        name=reader.text(one(message, 3, LENGTH_DELIMITED)),
        inputs=tuple(reader.text(name) for name in many(message, 1)),
        outputs=tuple(reader.text(name) for name in many(message, 2)),
        attributes=attributes,
    )


def _read_attribute(reader: Reader, part: Field, attribute: Message, kind: int) -> Any:
    """Return the value that an attribute's type names: ONNX looks at no other."""
    if kind == OF_INT:
        number = one(attribute, 3, VARINT)
        return signed(number.value) if number else 0
    if kind == OF_FLOAT:
        fraction = one(attribute, 2, FIXED32)
        return unpacked(reader, [fraction], "f")[0] if fraction else 0.0
    if kind == OF_TEXT:
        text = one(attribute, 4, LENGTH_DELIMITED)
        if text is not None and text.stop - text.start > LONGEST_TEXT:
            raise ProtobufError(f"the text at byte {text.start} is longer than {LONGEST_TEXT} bytes")
        return reader.text(text)
    if kind == OF_TENSOR:
        tensor = one(attribute, 5, LENGTH_DELIMITED)
        if tensor is None:
            raise ProtobufError(f"the attribute at byte {part.start} lacks its tensor")
        return read_tensor(reader, tensor)
    if kind in (OF_INTS, OF_FLOATS):
        if size_bytes(attribute, (7, 8)) > LONGEST_VALUES * 10:
            return None
        if kind == OF_INTS:
            return tuple(reader.integers(attribute.get(8, [])))
        fields = [
            field if field.kind == FIXED32 else of_kind(field, LENGTH_DELIMITED) for field in attribute.get(7, [])
        ]
        return unpacked(reader, fields, "f")
    raise ProtobufError(f"the attribute at byte {part.start} is of the type {kind}, which no image network needs")


def read_declared(reader: Reader, value: Field) -> Declared:
    """Read a ValueInfoProto; ProtobufError if it is malformed."""
    message = reader.message(value.start, value.stop)
    name = reader.text(one(message, 1, LENGTH_DELIMITED))
    kind = one(message, 2, LENGTH_DELIMITED)
    kinds = reader.message(kind.start, kind.stop) if kind else {}
    tensor = one(kinds, 1, LENGTH_DELIMITED)
    if tensor is None:
        return Declared(name, None, None)
    declared = reader.message(tensor.start, tensor.stop)
    element = one(declared, 1, VARINT)
    shape = one(declared, 2, LENGTH_DELIMITED)
    dims = None
    if shape:
        sizes = [reader.message(dim.start, dim.stop) for dim in many(reader.message(shape.start, shape.stop), 1)]
        fixed = [one(size, 1, VARINT) for size in sizes]
        dims = tuple(signed(size.value) if size else None for size in fixed)
    return Declared(name, element.value if element else 0, dims)


def shown(text: str) -> str:
    """Return a text of the file for a message: short, and without characters that control a terminal."""
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
