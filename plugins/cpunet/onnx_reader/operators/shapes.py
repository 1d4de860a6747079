"""Steps that compute with sizes, choose parts, join and rearrange; and products of matrices and reductions."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from cpunet.onnx_reader.operators.pointwise import CHEAP, COSTLY
from cpunet.onnx_reader.operators.step import (
    LARGEST_NUMBER,
    LARGEST_RANK,
    MOST_KNOWN,
    Result,
    Step,
    Value,
    broadcast,
    whole,
)
from cpunet.onnx_reader.operators.windows import FEW_CHANNELS, SLOWER
from cpunet.onnx_reader.tensor import DTYPES, FLOAT, INT32, INT64, Tensor


def _moved(step: Step, given: Value, shape: Tuple[int, ...], change: Optional[Callable[[Any], Any]]) -> Result:
    """Return a rearranged value, and what is known of it."""
    step.need(len(shape) <= LARGEST_RANK, f"its result has {len(shape)} axes")
    known = None if given.known is None or change is None else np.asarray(change(given.known))
    if known is not None and known.size > MOST_KNOWN:
        known = None
    out = Value(shape, given.kind, known)
    return Result([out], CHEAP * out.elements)


def shape_of(step: Step) -> Result:
    """Return the size of the input."""
    sizes = step.input(0).shape
    return Result([whole(sizes[slice(step.integer("start", 0), step.node.attributes.get("end"))])])


def size_of(step: Step) -> Result:
    """Return the number of elements."""
    return Result([Value((), INT64, np.array(step.input(0).elements, np.int64))])


def constant_value(tensor: Tensor) -> Value:
    """Return what is known of a tensor in the file."""
    known: Optional[Any] = None
    if tensor.values is not None and tensor.data_type in DTYPES and len(tensor.values) == math.prod(tensor.dims):
        known = np.array(tensor.values).astype(DTYPES[tensor.data_type]).reshape(tensor.dims)
    return Value(tensor.dims, tensor.data_type, known, fixed=True)


def constant(step: Step) -> Result:
    """Return a value that stands in the file."""
    attributes = step.node.attributes
    step.need(len(attributes) == 1 and not step.inputs, "it holds more or less than one value")
    ((name, value),) = attributes.items()
    if isinstance(value, Tensor):
        return Result([constant_value(value)])
    step.need(value is not None, "it holds a long list")
    return Result([_known(np.array(value, np.int64 if name in ("value_int", "value_ints") else np.float32))])


def _known(array: Any) -> Value:
    return Value(array.shape, INT64 if array.dtype.kind == "i" else FLOAT, array)


def constant_of_shape(step: Step) -> Result:
    """Fill a shape with one value."""
    shape, value = step.integers(0), step.node.attributes.get("value")
    step.need(len(shape) <= LARGEST_RANK and all(0 <= size <= LARGEST_NUMBER for size in shape), f"its size {shape}")
    kind, known = FLOAT, np.zeros((), np.float32)
    if value is not None:
        step.need(isinstance(value, Tensor) and value.values is not None and len(value.values) == 1, "its value")
        kind, known = value.data_type, np.array(value.values[0], DTYPES[value.data_type])
    elements = math.prod(shape)
    filled = np.full(shape, known, known.dtype) if elements <= MOST_KNOWN else None
    return Result([Value(shape, kind, filled)], CHEAP * elements)


def range_of(step: Step) -> Result:
    """Count from one number to another."""
    start, stop, by = (step.numbers(position).reshape(-1) for position in range(3))
    step.need(start.size == stop.size == by.size == 1 and by[0] != 0, "its numbers")
    count = max(0, math.ceil((float(stop[0]) - float(start[0])) / float(by[0])))
    step.need(count <= LARGEST_NUMBER, f"it counts to {count}")
    known = start[0] + by[0] * np.arange(count).astype(start.dtype) if count <= MOST_KNOWN else None
    return Result([Value((count,), step.input(0).kind, known)], CHEAP * count)


def reshape(step: Step) -> Result:
    """Give another shape to the same elements."""
    given, wanted = step.input(0), list(step.integers(1))
    keep_zero = bool(step.integer("allowzero", 0))
    for place, size in enumerate(wanted):
        if size == 0 and not keep_zero:
            step.need(place < len(given.shape), f"its shape {wanted}")
            wanted[place] = given.shape[place]
    if wanted.count(-1) == 1:
        rest = math.prod(size for size in wanted if size != -1)
        step.need(rest > 0 and given.elements % rest == 0, f"{list(given.shape)} cannot become {wanted}")
        wanted[wanted.index(-1)] = given.elements // rest
    step.need(
        all(size >= 0 for size in wanted) and math.prod(wanted) == given.elements,
        f"{list(given.shape)} cannot become {wanted}",
    )
    return _moved(step, given, tuple(wanted), lambda known: known.reshape(wanted))


def flatten(step: Step) -> Result:
    """Join axes into two."""
    given = step.input(0)
    axis = step.axis(len(given.shape), 1, end=True)
    shape = (math.prod(given.shape[:axis]), math.prod(given.shape[axis:]))
    return _moved(step, given, shape, lambda known: known.reshape(shape))


def _axes(step: Step, rank: int, default: Optional[Tuple[int, ...]] = None) -> Optional[Tuple[int, ...]]:
    """Return the axes that an attribute or the second input names, counted from 0; the default if there are none."""
    if "axes" in step.node.attributes:
        axes = step.node.attributes["axes"]
        step.need(isinstance(axes, tuple) and all(type(axis) is int for axis in axes), "its attribute axes")
    elif step.optional(1) is not None:
        axes = step.integers(1)
    else:
        return default
    found = tuple(step.checked_axis(axis, rank) for axis in axes)
    step.need(len(set(found)) == len(found), "it names an axis twice")
    return found


def squeeze(step: Step) -> Result:
    """Drop axes of size 1."""
    given = step.input(0)
    every = tuple(axis for axis, size in enumerate(given.shape) if size == 1)
    axes = _axes(step, len(given.shape), every) or ()
    step.need(all(given.shape[axis] == 1 for axis in axes), f"it drops an axis of {list(given.shape)} that is not 1")
    shape = tuple(size for axis, size in enumerate(given.shape) if axis not in axes)
    return _moved(step, given, shape, lambda known: known.reshape(shape))


def unsqueeze(step: Step) -> Result:
    """Add axes of size 1."""
    given = step.input(0)
    count = len(step.node.attributes.get("axes", ())) if step.optional(1) is None else step.input(1).elements
    rank = len(given.shape) + count
    step.need(rank <= LARGEST_RANK, f"its result has {rank} axes")
    axes = _axes(step, rank) or ()
    sizes = iter(given.shape)
    shape = tuple(1 if axis in axes else next(sizes) for axis in range(rank))
    return _moved(step, given, shape, lambda known: known.reshape(shape))


def transpose(step: Step) -> Result:
    """Change the order of axes."""
    given = step.input(0)
    rank = len(given.shape)
    order = step.list("perm", tuple(reversed(range(rank))), 0, rank - 1)
    step.need(len(set(order)) == rank, f"its order of axes {list(order)}")
    shape = tuple(given.shape[axis] for axis in order)
    return _moved(step, given, shape, lambda known: known.transpose(order))


def concat(step: Step) -> Result:
    """Join along an axis."""
    # The 8-bit operator has the scale and the zero of its result first, and those of each input beside it.
    first, by = (2, 3) if step.node.operator == "QLinearConcat" else (0, 1)
    step.need((len(step.inputs) - first) % by == 0, f"it has {len(step.inputs)} inputs")
    for position in range(len(step.inputs) if by == 3 else 0):
        if position < first or (position - first) % by:
            step.input(position)
            step.shaped(position, (), (1,))
    values = [step.input(position) for position in range(first, len(step.inputs), by)]
    step.need(bool(values) and len(values[0].shape) >= 1, "it joins nothing")
    axis = step.axis(len(values[0].shape), 1)
    rests = {value.shape[:axis] + value.shape[axis + 1 :] for value in values}
    step.need(
        len(rests) == 1 and len({len(value.shape) for value in values}) == 1,
        f"it joins shapes that do not fit: {', '.join(str(list(value.shape)) for value in values)}",
    )
    total = sum(value.shape[axis] for value in values)
    shape = (*values[0].shape[:axis], total, *values[0].shape[axis + 1 :])
    known = None
    if all(value.known is not None for value in values) and math.prod(shape) <= MOST_KNOWN:
        known = np.concatenate([value.known for value in values], axis)
    out = Value(shape, values[0].kind, known)
    return Result([out], CHEAP * out.elements)


def split(step: Step) -> Result:
    """Cut along an axis."""
    given, count = step.input(0), len(step.node.outputs)
    axis = step.axis(len(given.shape), 0)
    size = given.shape[axis]
    if "split" in step.node.attributes:
        parts = tuple(step.node.attributes["split"] or ())
    elif step.optional(1) is not None:
        parts = step.integers(1)
    else:
        each = -(-size // count)
        parts = tuple(min(each, size - each * place) for place in range(count))
    step.need(
        len(parts) == count and sum(parts) == size and all(type(part) is int and part >= 1 for part in parts),
        f"it cuts {size} into {list(parts)}",
    )
    outputs, start = [], 0
    for part in parts:
        known = None if given.known is None else given.known.take(range(start, start + part), axis)
        outputs.append(Value((*given.shape[:axis], part, *given.shape[axis + 1 :]), given.kind, known))
        start += part
    return Result(outputs, CHEAP * given.elements)


def cut(step: Step) -> Result:
    """Take a part of some axes, each from a start to an end by a stride (ONNX's Slice)."""
    given = step.input(0)
    rank = len(given.shape)
    if "starts" in step.node.attributes:  # before opset 10
        starts, ends = step.node.attributes["starts"] or (), step.node.attributes.get("ends") or ()
        axes, strides = step.node.attributes.get("axes"), None
    else:
        starts, ends = step.integers(1), step.integers(2)
        axes = None if step.optional(3) is None else step.integers(3)
        strides = None if step.optional(4) is None else step.integers(4)
    axes = tuple(range(len(starts))) if axes is None else axes
    strides = (1,) * len(starts) if strides is None else strides
    step.need(len(starts) == len(ends) == len(axes) == len(strides) <= rank, "its starts, ends, axes and strides")
    step.need(all(stride and abs(stride) <= LARGEST_NUMBER for stride in strides), f"its strides {list(strides)}")
    parts = [slice(None)] * rank
    for start, end, axis, stride in zip(starts, ends, axes, strides):
        axis, size = step.checked_axis(axis, rank), given.shape[axis]
        step.need(parts[axis] == slice(None), "it names an axis twice")
        low, high = (0, size) if stride > 0 else (-1, size - 1)
        step.need(stride > 0 or start >= -size, "it starts before the first entry")
        first, last = (min(max(at + size if at < 0 else at, low), high) for at in (start, end))
        parts[axis] = slice(max(first, 0), None if last < 0 else last, stride)
    shape = tuple(len(range(size)[part]) for size, part in zip(given.shape, parts))
    return _moved(step, given, shape, lambda known: known[tuple(parts)])


def gather(step: Step) -> Result:
    """Choose entries along an axis by their numbers."""
    given = step.input(0)
    step.need(len(given.shape) >= 1, "it chooses from a single number")
    axis, chosen = step.axis(len(given.shape), 0), step.input(1).known
    if chosen is None:  # onnxruntime checks them when it runs
        shape = given.shape[:axis] + step.input(1).shape + given.shape[axis + 1 :]
        return _moved(step, given, shape, None)
    size = given.shape[axis]
    step.need(
        chosen.dtype.kind in "iu" and bool(((chosen >= -size) & (chosen < size)).all()), f"it chooses from {size}"
    )
    shape = given.shape[:axis] + chosen.shape + given.shape[axis + 1 :]
    return _moved(step, given, shape, lambda known: known.take(chosen, axis))


def expand(step: Step) -> Result:
    """Repeat along axes of size 1."""
    given, wanted = step.input(0), step.integers(1)
    step.need(all(1 <= size <= LARGEST_NUMBER for size in wanted), f"its size {list(wanted)}")
    shape = broadcast([given.shape, wanted])
    small = math.prod(shape) <= MOST_KNOWN
    return _moved(step, given, shape, (lambda known: np.broadcast_to(known, shape)) if small else None)


def tile(step: Step) -> Result:
    """Repeat an array along its axes."""
    given, times = step.input(0), step.integers(1)
    step.need(len(times) == len(given.shape), f"it has {len(times)} numbers for {len(given.shape)} axes")
    step.need(all(1 <= each <= LARGEST_NUMBER for each in times), f"it repeats {list(times)} times")
    shape = tuple(size * each for size, each in zip(given.shape, times))
    small = math.prod(shape) <= MOST_KNOWN
    return _moved(step, given, shape, (lambda known: np.tile(known, times)) if small else None)


REDUCED: Dict[str, Callable[..., Any]] = {
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
}


def reduce(step: Step) -> Result:
    """Sum up axes, or take their mean or largest value."""
    given = step.input(0)
    rank = len(given.shape)
    every = () if step.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    axes = _axes(step, rank, every) or every
    keep = bool(step.integer("keepdims", 1))
    step.need(given.elements > 0, "it reduces nothing")
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(given.shape) if keep or axis not in axes)
    compute = REDUCED.get(step.node.operator)
    known = None
    if given.known is not None and compute is not None and bool((np.abs(given.known.astype(float)) < 2**40).all()):
        known = np.asarray(compute(given.known, axis=axes, keepdims=keep)).astype(given.known.dtype)
    return Result([Value(shape, given.kind, known)], COSTLY * given.elements, given.bytes)


def matmul(step: Step) -> Result:
    """Multiply matrices, in batches."""
    first, second = step.input(0), step.input(1)
    step.need(len(first.shape) >= 1 and len(second.shape) >= 1, "it multiplies single numbers")
    left = first.shape if len(first.shape) > 1 else (1, *first.shape)
    right = second.shape if len(second.shape) > 1 else (*second.shape, 1)
    step.need(left[-1] == right[-2], f"it multiplies {list(first.shape)} with {list(second.shape)}")
    batch = broadcast([left[:-2], right[:-2]]) if len(left) > 2 or len(right) > 2 else ()
    shape = batch
    shape += left[-2:-1] if len(first.shape) > 1 else ()
    shape += right[-1:] if len(second.shape) > 1 else ()
    macs = math.prod(batch) * left[-2] * left[-1] * right[-1]
    slower = SLOWER if min(left[-2], right[-1]) < FEW_CHANNELS else 1
    return Result([Value(shape, first.kind)], macs * slower, first.bytes + second.bytes)


def integer_matmul(step: Step) -> Result:
    """Multiply matrices of 8 bits into whole numbers of 32: both, and the zero of each."""
    rows, columns = step.input(0).shape[-2:-1], step.input(1).shape[-1:]
    step.shaped(2, (), (1,), rows)
    step.shaped(3, (), (1,), columns)
    found = matmul(step)
    return found._replace(outputs=[found.outputs[0]._replace(kind=INT32)], work=4 * found.work)


def place_of_largest(step: Step) -> Result:
    """Return where along an axis the largest or smallest value is."""
    given = step.input(0)
    axis = step.axis(len(given.shape), 0)
    step.integer("select_last_index", 0)
    kept = (1,) if step.integer("keepdims", 1) else ()
    shape = (*given.shape[:axis], *kept, *given.shape[axis + 1 :])
    return Result([Value(shape, INT64)], COSTLY * given.elements, given.bytes)


def gemm(step: Step) -> Result:
    """Multiply two matrices and add a third."""
    first, second = step.input(0), step.input(1)
    for name in ("alpha", "beta"):
        step.real(name, 1.0)
    step.need(len(first.shape) == len(second.shape) == 2, "it multiplies what are no matrices")
    rows, inner = reversed(first.shape) if step.integer("transA", 0) else first.shape
    inner_too, columns = reversed(second.shape) if step.integer("transB", 0) else second.shape
    step.need(inner == inner_too, f"it multiplies {list(first.shape)} with {list(second.shape)}")
    bias = step.optional(2)
    step.need(bias is None or broadcast([bias.shape, (rows, columns)]) == (rows, columns), "its bias does not fit")
    slower = SLOWER if min(rows, columns) < FEW_CHANNELS else 1
    return Result([Value((rows, columns), first.kind)], rows * columns * inner * slower, first.bytes + second.bytes)
