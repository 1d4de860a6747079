"""Read what an ONNX file declares: its nodes, the shapes of its weights, its input and output; no weight is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from cpunet.onnx_reader.protobuf import (
    FIXED32,
    LENGTH_DELIMITED,
    VARINT,
    Field,
    Message,
    ProtobufError,
    Reader,
    many,
    one,
    signed,
)
from cpunet.onnx_reader.tensor import LONGEST_VALUES, Numbers, Tensor, read_tensor, size_bytes, unpacked

# Field numbers in read_network and below: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
DEEPEST_GRAPH = 4  # graphs occur in the branches of an If; networks do not nest deeper


@dataclass(frozen=True)
class Node:
    """One step of the network.

    Attributes
    ----------
    operator, domain, name : str
        ONNX's own domain is ''.
    inputs, outputs : tuple of str
    numbers : dict of str to tuple of int or float, or None
        The attributes that are numbers; None for a long list.
    tensors : tuple of Tensor
        Of a Constant.
    """

    operator: str
    domain: str
    name: str
    inputs: Tuple[str, ...]
    outputs: Tuple[str, ...]
    numbers: Dict[str, Optional[Numbers]]
    tensors: Tuple[Tensor, ...]


@dataclass(frozen=True)
class Value:
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
    """All graphs of a file, including those in branches.

    Attributes
    ----------
    nodes : list of Node
    tensors : list of Tensor
        Weights, and the tensors of Constant nodes.
    sparse_tensors : list of Field
        Not read.
    inputs, outputs : list of Value
        Of the outermost graph.
    """

    nodes: List[Node] = field(default_factory=list)
    tensors: List[Tensor] = field(default_factory=list)
    sparse_tensors: List[Field] = field(default_factory=list)
    inputs: List[Value] = field(default_factory=list)
    outputs: List[Value] = field(default_factory=list)


def read_network(reader: Reader, graph: Field) -> Network:
    """Read what a GraphProto declares; ProtobufError if it is malformed or nested more than 4 deep."""
    network = Network()
    message = _read_graph(reader, graph, network, depth=1)
    network.inputs.extend(_read_value(reader, value) for value in many(message, 11))
    network.outputs.extend(_read_value(reader, value) for value in many(message, 12))
    return network


def _read_graph(reader: Reader, graph: Field, network: Network, depth: int) -> Message:
    if depth > DEEPEST_GRAPH:
        raise ProtobufError(f"its graphs lie in one another more than {DEEPEST_GRAPH} deep")
    message = reader.message(graph.start, graph.stop)
    network.tensors.extend(read_tensor(reader, tensor) for tensor in many(message, 5))
    network.sparse_tensors.extend(many(message, 15))
    for node in many(message, 1):
        network.nodes.append(_read_node(reader, node, network, depth))
    return message


def _read_node(reader: Reader, node: Field, network: Network, depth: int) -> Node:
    message = reader.message(node.start, node.stop)
    numbers: Dict[str, Optional[Numbers]] = {}
    tensors: List[Tensor] = []
    for part in many(message, 5):
        attribute = reader.message(part.start, part.stop)
        name = reader.text(one(attribute, 1, LENGTH_DELIMITED))
        if name in numbers:
            raise ProtobufError(f"the attribute at byte {part.start} occurs twice")
        numbers[name] = _numbers(reader, attribute)
        single = one(attribute, 5, LENGTH_DELIMITED)
        tensors.extend(read_tensor(reader, tensor) for tensor in [*([single] if single else []), *many(attribute, 10)])
        network.sparse_tensors.extend([*many(attribute, 22), *many(attribute, 23)])
        branch = one(attribute, 6, LENGTH_DELIMITED)
        for graph in [*([branch] if branch else []), *many(attribute, 11)]:
            _read_graph(reader, graph, network, depth + 1)
    network.tensors.extend(tensors)
    return Node(
        operator=reader.text(one(message, 4, LENGTH_DELIMITED)),
        domain=reader.text(one(message, 7, LENGTH_DELIMITED)),
        name=reader.text(one(message, 3, LENGTH_DELIMITED)),
        inputs=tuple(reader.text(name) for name in many(message, 1)),
        outputs=tuple(reader.text(name) for name in many(message, 2)),
        numbers=numbers,
        tensors=tuple(tensors),
    )


def _numbers(reader: Reader, attribute: Message) -> Optional[Numbers]:
    """Return the numbers of an attribute: () if it holds none, None for a long list."""
    if size_bytes(attribute, (7, 8)) > LONGEST_VALUES * 10:
        return None
    single = one(attribute, 3, VARINT)
    fraction = one(attribute, 2, FIXED32)
    return (
        *([signed(single.value)] if single else []),
        *unpacked(reader, [fraction] if fraction else [], "f"),
        *reader.integers(attribute.get(8, [])),
        *unpacked(reader, attribute.get(7, []), "f"),
    )


def _read_value(reader: Reader, value: Field) -> Value:
    message = reader.message(value.start, value.stop)
    name = reader.text(one(message, 1, LENGTH_DELIMITED))
    kind = one(message, 2, LENGTH_DELIMITED)
    kinds = reader.message(kind.start, kind.stop) if kind else {}
    tensor = one(kinds, 1, LENGTH_DELIMITED)
    if tensor is None:
        return Value(name, None, None)
    declared = reader.message(tensor.start, tensor.stop)
    element = one(declared, 1, VARINT)
    shape = one(declared, 2, LENGTH_DELIMITED)
    dims = None
    if shape:
        sizes = [reader.message(dim.start, dim.stop) for dim in many(reader.message(shape.start, shape.stop), 1)]
        fixed = [one(size, 1, VARINT) for size in sizes]
        dims = tuple(signed(size.value) if size else None for size in fixed)
    return Value(name, element.value if element else 0, dims)


def shown(text: str) -> str:
    """Return a text of the file for a message: short, and without characters that control a terminal."""
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
