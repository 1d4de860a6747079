"""Steps that compute each element from the elements at the same place, and steps that normalize."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

import numpy as np

from cpunet.onnx_reader.operators.step import (
    LARGEST_NUMBER,
    MOST_KNOWN,
    Result,
    Step,
    Value,
    broadcast,
    is_integer,
)
from cpunet.onnx_reader.tensor import BITS, BOOL, DTYPES, FLOAT, UINT8

# The work of an element, in multiplications of a convolution: moving it through memory takes as long.
# A power takes some ten nanoseconds.
CHEAP, COSTLY, POWER = 32, 256, 2048


def _truncated(first: Any, second: Any) -> Any:
    """Divide whole numbers as C does: toward zero."""
    return np.sign(first) * np.sign(second) * (np.abs(first) // np.abs(second))


# What is computed of sizes. Everything else of sizes is unknown, and refused where a size is needed.
UNARY: Dict[str, Callable[[Any], Any]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Identity": lambda each: each,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Reciprocal": lambda each: 1 / each,
    "Round": np.round,
    "Sqrt": np.sqrt,
}
BINARY: Dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": lambda first, second: _truncated(first, second) if first.dtype.kind in "iu" else first / second,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": lambda first, second: (np.mod if first.dtype.kind in "iu" else np.fmod)(first, second),
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Pow": np.power,
    "Sub": np.subtract,
}
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Not")


def known_result(step: Step, compute: Optional[Callable[..., Any]], *values: Value) -> Optional[Any]:
    """Compute a short list from short lists; None if they are not known."""
    arrays: List[Any] = [value.known for value in values if value.known is not None]
    if compute is None or len(arrays) < len(values):
        return None
    for array in arrays:
        if array.dtype.kind in "iu" and array.size and int(np.abs(array.astype(float)).max()) > LARGEST_NUMBER:
            step.refuse(f"it computes with a size beyond {LARGEST_NUMBER}")
    with np.errstate(all="ignore"):
        result = np.asarray(compute(*arrays))
    return result if result.size <= MOST_KNOWN else None


def unary(work: int = CHEAP) -> Callable[[Step], Result]:
    """Return the rule of an operator with one input, whose result has its shape."""

    def rule(step: Step) -> Result:
        given = step.input(0)
        step.need(len(step.inputs) == 1, f"it has {len(step.inputs)} inputs, and takes one")
        known = known_result(step, UNARY.get(step.node.operator), given)
        return Result([given._replace(known=known)], work * given.elements)

    return rule


def elementwise(step: Step) -> Result:
    """Combine any number of inputs element by element."""
    operator, values = step.node.operator, [step.input(index) for index in range(len(step.inputs))]
    step.need(bool(values), "it has no input")
    if operator in ("Div", "Mod") and is_integer(values[0]):
        divisor = values[-1].known
        step.need(
            len(values) == 2 and values[0].known is not None and divisor is not None and bool((divisor > 0).all()),
            "it divides whole numbers that are not known before it runs, or by 0, which would end the program",
        )
    step.integer("fmod", 0)
    shape = broadcast([value.shape for value in values])
    kind = BOOL if operator in COMPARISONS else values[0].kind
    known = known_result(step, BINARY.get(operator), *values) if len(values) == 2 else None
    elements = Value(shape, kind).elements
    work = POWER if operator in ("Pow", "Mod") else CHEAP * len(values)
    return Result([Value(shape, kind, known)], work * elements)


def where(step: Step) -> Result:
    """Choose between two inputs."""
    values = [step.input(index) for index in range(3)]
    shape = broadcast([value.shape for value in values])
    known = known_result(step, np.where, *values)
    return Result([Value(shape, values[1].kind, known)], 3 * CHEAP * Value(shape, values[1].kind).elements)


def clip(step: Step) -> Result:
    """Limit values to a range."""
    given = step.input(0)
    for position in (1, 2):
        step.shaped(position, (), (1,))
    for name in ("min", "max"):
        step.real(name, 0.0)
    return Result([given._replace(known=None)], CHEAP * given.elements)


def cast(step: Step) -> Result:
    """Change the type of numbers."""
    given, kind = step.input(0), step.integer("to", 0)
    step.need(kind in BITS, f"it casts to the type {kind}, which no image network needs")
    known = given.known
    if known is not None:
        step.need(
            known.dtype.kind != "f" or bool((np.abs(known.astype(np.float64)) < 2.0**62).all()),
            "it casts a size that is no number",
        )
        known = known.astype(DTYPES[kind]) if kind in DTYPES else None
    return Result([given._replace(kind=kind, known=known)], CHEAP * given.elements)


def dropout(step: Step) -> Result:
    """Pass values on; only training drops any."""
    given = step.input(0)
    step.only_output()
    mode = step.optional(2)
    step.need(mode is None or (mode.known is not None and not mode.known.any()), "it is in training mode")
    return Result([given._replace(known=None)], CHEAP * given.elements)


def normalization(step: Step) -> Result:
    """Normalize each channel, or each group of channels, of (N, C, ...)."""
    given = step.input(0)
    step.only_output()
    step.need(len(given.shape) >= 3, "its input has no rows and columns")
    channels = given.shape[1]
    allowed = [(channels,)]
    if step.node.operator == "GroupNormalization":
        groups = step.integer("num_groups", 0)
        step.need(1 <= groups <= channels and channels % groups == 0, f"it has {groups} groups of {channels} channels")
        allowed += [(groups,)]
    step.need(not step.integer("training_mode", 0), "it is in training mode")
    step.need(step.integer("spatial", 1) == 1, "its attribute spatial is not 1")
    step.need(len(step.inputs) == (5 if step.node.operator == "BatchNormalization" else 3), "it lacks an input")
    for position in range(1, len(step.inputs)):
        step.input(position)
        step.shaped(position, *allowed)
    return Result([given._replace(known=None)], 4 * CHEAP * given.elements, 2 * given.bytes)


def layer_normalization(step: Step) -> Result:
    """Normalize over the last axes."""
    given = step.input(0)
    step.only_output()
    axis = step.axis(len(given.shape), -1)
    step.input(1)
    for position in (1, 2):
        step.shaped(position, given.shape[axis:])
    return Result([given._replace(known=None)], 4 * CHEAP * given.elements, given.bytes)


def softmax(step: Step) -> Result:
    """Make a sum of 1 along an axis."""
    given = step.input(0)
    step.axis(len(given.shape), -1)
    return Result([given._replace(known=None)], COSTLY * given.elements, 2 * given.bytes)


def prelu(step: Step) -> Result:
    """Multiply negative values by a slope."""
    given, slope = step.input(0), step.input(1)
    step.need(broadcast([given.shape, slope.shape]) == given.shape, "its slopes do not fit its input")
    return Result([given._replace(known=None)], 2 * CHEAP * given.elements)


def quantize(step: Step) -> Result:
    """Turn numbers into 8 or 16 bits, or back."""
    given, scale = step.input(0), step.input(1)
    rank = len(given.shape)
    allowed = [(), (1,)]
    if rank:
        allowed.append((given.shape[step.axis(rank, min(1, rank - 1))],))
    for position in (1, 2):
        step.shaped(position, *allowed)
    if step.node.operator == "DequantizeLinear":
        kind = scale.kind
    else:
        zero = step.optional(2)
        kind = UINT8 if zero is None else zero.kind
    return Result([Value(given.shape, kind)], CHEAP * given.elements)


def dynamic_quantize(step: Step) -> Result:
    """Turn numbers into 8 bits by a scale that is found in them; also gives the scale and the zero."""
    given = step.input(0)
    step.need(len(step.inputs) == 1, f"it has {len(step.inputs)} inputs, and takes one")
    outputs = [Value(given.shape, UINT8), Value((), FLOAT), Value((), UINT8)]
    return Result(outputs, 2 * CHEAP * given.elements)
