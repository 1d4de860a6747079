"""One step of a network as a rule sees it: its operator, its attributes, and what is known of its inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Optional, Sequence, Tuple

import numpy as np

from cpunet.onnx_reader.structure import Node
from cpunet.onnx_reader.tensor import BITS, INT64, INTEGERS

Shape = Tuple[int, ...]

LARGEST_RANK = 8
# Longer lists are no sizes, and their values are not followed.
MOST_KNOWN = 1024
# Sizes beyond this are no sizes of images; sums and products of larger ones are not computed.
LARGEST_NUMBER = 2**40


class RefusedError(Exception):
    """A step that a segmentation network does not need, or that could do harm; the text says which part of it."""


class Value(NamedTuple):
    """What is known of an intermediate value.

    Attributes
    ----------
    shape : tuple of int
    kind : int
        TensorProto.DataType.
    known : ndarray, optional
        The values themselves, of short lists that depend on nothing but the size of the image.
    fixed : bool
        True if it does not depend on the image, so that it is computed when the file is opened.
    varies : tuple of int
        For each axis, 0 if its size is that of `shape`. Otherwise a number for a size that depends on the pixels, as
        that of a list of objects; `shape` then holds the most that it can be. Axes with the same number have the same
        size. () if no axis varies.
    symbols : ndarray of the shape of `known`, int64, optional
        The same for values that are such sizes; `known` then holds the most that they can be.
    zero : bool
        True if all elements are certainly 0.
    leading_zeros : tuple of int
        (axis, count) if all elements at the first `count` places of an axis are certainly 0; () otherwise.
    """

    shape: Shape
    kind: int
    known: Optional[Any] = None
    fixed: bool = False
    varies: Tuple[int, ...] = ()
    symbols: Optional[Any] = None
    zero: bool = False
    leading_zeros: Tuple[int, ...] = ()

    @property
    def is_bound(self) -> bool:
        """Whether its size, or a size that it holds, is the most that it can be."""
        return any(self.varies) or self.symbols is not None

    @property
    def is_zero(self) -> bool:
        """Whether all elements are certainly 0."""
        return self.zero or (self.known is not None and self.symbols is None and not self.known.any())

    @property
    def elements(self) -> int:
        """The number of its elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return -(-self.elements * BITS[self.kind] // 8)


class Result(NamedTuple):
    """What a step gives: its outputs, its work (1: a multiplication and addition in a convolution) and its workspace.

    The workspace is memory in bytes that is needed besides inputs and outputs while the step runs.
    """

    outputs: Sequence[Value]
    work: int = 0
    workspace: int = 0


@dataclass(frozen=True)
class Step:
    """One node and what is known of its inputs, None where an optional one is left out."""

    node: Node
    inputs: Tuple[Optional[Value], ...]

    def refuse(self, reason: str) -> NoReturn:
        """Raise RefusedError."""
        raise RefusedError(reason)

    def need(self, condition: bool, reason: str) -> None:
        """Raise RefusedError unless a condition holds."""
        if not condition:
            raise RefusedError(reason)

    def optional(self, position: int) -> Optional[Value]:
        """Return an input, or None if it is left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def input(self, position: int) -> Value:
        """Return an input that must be there."""
        value = self.optional(position)
        if value is None:
            raise RefusedError(f"its input {position} is missing")
        return value

    def numbers(self, position: int) -> Any:
        """Return the values of an input, an ndarray; refuse if they are computed from pixels, or are many."""
        value = self.input(position)
        if value.known is None:
            raise RefusedError(
                f"its input {position} is computed from the pixels, or is a long list, so that the size of the result "
                "is not known before it runs"
            )
        return value.known

    def integers(self, position: int) -> Tuple[int, ...]:
        """Return the values of an input as ints."""
        known = self.numbers(position)
        self.need(known.dtype.kind in "iub" and known.ndim <= 1, f"its input {position} is no list of whole numbers")
        return tuple(int(number) for number in known.reshape(-1))

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        value = self.node.attributes.get(name, default)
        self.need(type(value) is int, f"its attribute {name} is no whole number")
        return int(value)

    def real(self, name: str, default: float) -> float:
        """Return an attribute that is a number."""
        value = self.node.attributes.get(name, default)
        self.need(type(value) in (int, float), f"its attribute {name} is no number")
        return float(value)

    def text(self, name: str, default: str, choices: Sequence[str]) -> str:
        """Return an attribute that is one of some words."""
        value = self.node.attributes.get(name, default)
        self.need(value in choices, f"its attribute {name} is {value!r}, and may be {', '.join(choices)}")
        return str(value)

    def list(self, name: str, default: Sequence[int], low: int, high: int) -> Tuple[int, ...]:
        """Return an attribute that is a list of as many whole numbers as its default, each from low to high."""
        value = self.node.attributes.get(name, tuple(default))
        self.need(
            isinstance(value, tuple) and len(value) == len(default) and all(type(number) is int for number in value),
            f"its attribute {name} is {value!r}, and must be a list of {len(default)} whole numbers",
        )
        for number in value:
            self.need(low <= number <= high, f"its attribute {name} holds {number}; it may be {low} to {high}")
        return tuple(value)

    def axis(self, rank: int, default: int, name: str = "axis", end: bool = False) -> int:
        """Return the attribute `axis`, counted from 0; with `end`, it may lie behind the last axis."""
        return self.checked_axis(self.integer(name, default), rank, end)

    def checked_axis(self, axis: int, rank: int, end: bool = False) -> int:
        """Return an axis counted from 0."""
        self.need(-rank <= axis < rank + end, f"it names the axis {axis} of {rank}")
        return axis + rank if axis < 0 else axis

    def shaped(self, position: int, *shapes: Shape) -> None:
        """Refuse an input, if it is there, of another shape than these."""
        value = self.optional(position)
        if value is not None:
            wanted = " or ".join(str(list(shape)) for shape in shapes)
            self.need(value.shape in shapes, f"its input {position} has the shape {list(value.shape)}, not {wanted}")

    def only_output(self) -> None:
        """Refuse further outputs than the first."""
        self.need(sum(1 for name in self.node.outputs if name) == 1, "it gives more than one output")

    def is_bound(self) -> bool:
        """Return True if the size of an input, or a size in it, depends on the pixels."""
        return any(value is not None and value.is_bound for value in self.inputs)

    def depends(self) -> bool:
        """Return True if an input depends on the image."""
        return any(value is not None and not value.fixed for value in self.inputs)


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the common shape of arrays that are combined element by element."""
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for sizes in zip(*padded):
        larger = {size for size in sizes if size != 1}
        if len(larger) > 1:
            raise RefusedError(f"it combines shapes that do not fit: {', '.join(str(list(shape)) for shape in shapes)}")
        result.append(larger.pop() if larger else 1)
    return tuple(result)


def whole(numbers: Sequence[int]) -> Value:
    """Return a known list of int64."""
    array = np.array(numbers, np.int64)
    return Value(array.shape, INT64, array)


def is_integer(value: Value) -> bool:
    """Return True if a value holds whole numbers, whose division by zero ends the process."""
    return value.kind in INTEGERS
