"""Which results of steps are certainly 0: the number of the image that each box of RoiAlign belongs to must be."""

from __future__ import annotations

from typing import Tuple

from cpunet.onnx_reader.operators.objects import varies_of
from cpunet.onnx_reader.operators.sizes import numbers_or_none
from cpunet.onnx_reader.operators.step import Step, Value

# Operators that only move elements, or repeat them.
_MOVES = ("Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Expand", "Tile", "Slice")


def zeros_of(step: Step, result: Value) -> Value:
    """Add to the result of a step what is known of elements that are certainly 0."""
    operator = step.node.operator
    first = step.optional(0)
    zero = False
    leading: Tuple[int, ...] = ()
    if operator == "ConstantOfShape":
        value = step.node.attributes.get("value")
        zero = value is None or not any(value.values or (1,))
    elif operator == "Concat":
        values = [each for each in step.inputs if each is not None]
        zero = all(each.is_zero for each in values)
        axis = step.axis(len(result.shape), 1)
        if values[0].is_zero and not varies_of(values[0])[axis]:
            leading = (axis, values[0].shape[axis])
    elif first is not None and (operator in _MOVES or operator == "Gather"):
        zero = first.is_zero or _only_leading(step, first)
    return result._replace(zero=zero, leading_zeros=leading)


def _only_leading(step: Step, given: Value) -> bool:
    """Say whether a Gather or Slice takes nothing but the first entries of an axis, which are certainly 0."""
    if not given.leading_zeros:
        return False
    axis, count = given.leading_zeros
    if step.node.operator == "Gather":
        places = step.input(1).known if step.input(1).symbols is None else None
        own = step.axis(len(given.shape), 0) == axis
        return own and places is not None and bool(((places >= 0) & (places < count)).all())
    if step.node.operator != "Slice" or step.optional(3) is None:
        return False
    ends, axes = numbers_or_none(step, 2, 1), step.integers(3)
    (end, of_end), stride = ends[0], step.optional(4)
    forward = stride is None or (stride.known is not None and bool((stride.known > 0).all()))
    known = end is not None and not of_end and len(ends) == len(axes) == 1
    starts = numbers_or_none(step, 1, 1)[0][0]
    is_first = starts is not None and starts >= 0
    return bool(
        known
        and forward
        and is_first
        and step.checked_axis(axes[0], len(given.shape)) == axis
        and 0 <= (end or 0) <= count
    )
