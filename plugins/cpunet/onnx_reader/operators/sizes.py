"""Sizes that depend on the pixels, and what is computed with them: the most that they can be."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from cpunet.onnx_reader.operators import pointwise
from cpunet.onnx_reader.operators.objects import new_size, varies_of
from cpunet.onnx_reader.operators.pointwise import BINARY, CHEAP, POWER
from cpunet.onnx_reader.operators.step import LARGEST_NUMBER, MOST_KNOWN, Result, Step, Value, is_integer
from cpunet.onnx_reader.tensor import BOOL, INT64

# Of two sizes, each at most so large, the result is at most this function of the two bounds.
GROWING = ("Add", "Max", "Min", "Mul")
# Larger sizes may not fit the 24 bits of a float32, or the 31 of a whole number.
LARGEST_CAST = 2**24


def symbols_of(value: Value) -> Any:
    """Return, for known values, which of them are sizes that depend on the pixels."""
    return np.zeros(value.shape, np.int64) if value.symbols is None else value.symbols


def with_known(shape: Tuple[int, ...], kind: int, known: Optional[Any], symbols: Optional[Any]) -> Value:
    """Return a value that does not vary itself."""
    if known is None or known.size > MOST_KNOWN:
        return Value(shape, kind)
    return Value(shape, kind, known, symbols=symbols if symbols is not None and symbols.any() else None)


def numbers_or_none(step: Step, position: int, count: int) -> List[Tuple[Optional[int], int]]:
    """Return the numbers of a list with the sizes that they are; a start that is a bound, or unknown, is None."""
    value = step.input(position)
    if value.known is None:
        return [(None, 0)] * count
    numbers, symbols = value.known.reshape(-1), symbols_of(value).reshape(-1)
    return [
        (None if of_size and position == 1 else int(number), int(of_size)) for number, of_size in zip(numbers, symbols)
    ]


def shape_of(step: Step) -> Result:
    """Return the size of the input."""
    given = step.input(0)
    part = slice(step.integer("start", 0), step.node.attributes.get("end"))
    known, symbols = (np.array(each[part], np.int64) for each in (given.shape, varies_of(given)))
    return Result([with_known(known.shape, INT64, known, symbols)])


def broadcast(step: Step, values: Sequence[Value]) -> Tuple[Tuple[int, ...], Tuple[int, ...]]:
    """Return the common shape of arrays that are combined element by element, and which of its axes vary."""
    rank = max(len(value.shape) for value in values)
    shape, varies = [], []
    for place in range(-rank, 0):
        axes = {(value.shape[place], varies_of(value)[place]) for value in values if len(value.shape) >= -place}
        exact = {size for size, of_size in axes if not of_size} - {1}
        varying = {each for each in axes if each[1]}
        step.need(
            len(exact) <= 1, f"it combines shapes that do not fit: {', '.join(str(each.shape) for each in values)}"
        )
        if exact or not varying:  # what varies is as large, or 1
            shape.append(exact.pop() if exact else 1)
            varies.append(0)
        else:
            shape.append(max(size for size, _ in varying))
            varies.append(varying.pop()[1] if len({of_size for _, of_size in varying}) == 1 else new_size())
    return tuple(shape), tuple(varies)


def elementwise(step: Step) -> Result:
    """Combine any number of inputs element by element."""
    operator, values = step.node.operator, [step.input(index) for index in range(len(step.inputs))]
    step.need(bool(values), "it has no input")
    step.integer("fmod", 0)
    step.need(
        operator not in ("Div", "Mod") or not is_integer(values[0]),
        "it divides whole numbers that depend on the pixels, and a division by 0 would end the program",
    )
    shape, varies = broadcast(step, values)
    kind = BOOL if operator in pointwise.COMPARISONS else values[0].kind
    work = (POWER if operator == "Pow" else CHEAP * len(values)) * Value(shape, kind).elements
    if any(varies) or len(values) != 2 or any(value.known is None for value in values):
        return Result([Value(shape, kind, varies=varies)], work)
    known, symbols = _computed(step, *values)
    return Result([with_known(shape, kind, known, symbols)], work)


def _computed(step: Step, first: Value, second: Value) -> Tuple[Optional[Any], Optional[Any]]:
    """Compute with sizes, of which some are bounds, what is a bound again; what `Equal` asks is whether one is -1."""
    operator, numbers = step.node.operator, [np.asarray(value.known) for value in (first, second)]
    of_first, of_second = np.broadcast_arrays(symbols_of(first), symbols_of(second))
    one, other = np.broadcast_arrays(*numbers)
    if operator == "Equal":
        certain = ((of_first == 0) & (of_second == 0)) | ((of_first > 0) & (other < 0)) | ((of_second > 0) & (one < 0))
        return (one == other, None) if certain.all() else (None, None)
    if operator not in GROWING or any(number.dtype.kind not in "iu" or (number < 0).any() for number in numbers):
        return None, None
    if any(number.size and number.max() > LARGEST_NUMBER for number in numbers):
        step.refuse(f"it computes with a size beyond {LARGEST_NUMBER}")
    symbols = np.array([new_size() for _ in range(one.size)], np.int64).reshape(one.shape)
    neutral = {"Add": 0, "Mul": 1}.get(operator)
    if neutral is not None:
        symbols = np.where((of_second == 0) & (other == neutral), of_first, symbols)
        symbols = np.where((of_first == 0) & (one == neutral), of_second, symbols)
    if operator in ("Min", "Max"):
        symbols = np.where(of_first == of_second, of_first, symbols)
    symbols = np.where((of_first == 0) & (of_second == 0), 0, symbols)
    return BINARY[operator](one, other), symbols


def where(step: Step) -> Result:
    """Choose between two inputs."""
    values = [step.input(index) for index in range(3)]
    shape, varies = broadcast(step, values)
    work = 3 * CHEAP * Value(shape, values[1].kind).elements
    chosen, first, second = values
    if any(varies) or chosen.symbols is not None or any(value.known is None for value in values):
        return Result([Value(shape, first.kind, varies=varies)], work)
    is_first = np.asarray(chosen.known)
    known = np.where(is_first, np.asarray(first.known), np.asarray(second.known))
    symbols = np.where(is_first, symbols_of(first), symbols_of(second))
    return Result([with_known(shape, first.kind, known, symbols)], work)


def cast(step: Step) -> Result:
    """Change the type of numbers."""
    given, found = step.input(0), pointwise.cast(step)
    result = found.outputs[0]
    known = result.known
    if given.symbols is None or known is None or known.dtype.itemsize < 4 or known.max(initial=0) > LARGEST_CAST:
        return found._replace(outputs=[Value(result.shape, result.kind, varies=given.varies)])
    return found._replace(outputs=[with_known(result.shape, result.kind, result.known, given.symbols)])
