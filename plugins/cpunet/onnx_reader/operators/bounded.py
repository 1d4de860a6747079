"""Steps with an input whose size depends on the pixels: of each, the most that the size of the result can be.

A rule here takes the place of an operator's usual one as soon as of the size of an input, or of a size in it, only a
bound is known. An operator without such a rule is refused there. Rules keep two promises: no axis of a result is
ever larger than its shape says, and axes with the same number in `varies` have the same size.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from cpunet.onnx_reader.operators import pointwise, shapes, windows
from cpunet.onnx_reader.operators.objects import new_size, varies_of
from cpunet.onnx_reader.operators.pointwise import BINARY, CHEAP, COSTLY
from cpunet.onnx_reader.operators.sizes import (
    broadcast,
    cast,
    elementwise,
    numbers_or_none,
    shape_of,
    symbols_of,
    where,
    with_known,
)
from cpunet.onnx_reader.operators.step import LARGEST_NUMBER, LARGEST_RANK, Result, Step, Value
from cpunet.onnx_reader.operators.windows import FEW_CHANNELS, SLOWER

Rule = Callable[[Step], Result]


def like_first(usual: Rule) -> Rule:
    """Return the rule of an operator whose results have the shape of its first input."""

    def rule(step: Step) -> Result:
        step.need(not any(value is not None and any(value.varies) for value in step.inputs[1:]), "its inputs vary")
        given, found = step.input(0), usual(step)
        step.need(found.outputs[0].shape == given.shape, "its result has another size")
        outputs = [value._replace(known=None, symbols=None) for value in found.outputs]
        return found._replace(outputs=[outputs[0]._replace(varies=given.varies), *outputs[1:]])

    return rule


def first_axis(usual: Rule) -> Rule:
    """Return the rule of an operator that treats each entry of the first axis by itself, as each image of a batch."""

    def rule(step: Step) -> Result:
        varies = varies_of(step.input(0))
        others = [value for value in step.inputs[1:] if value is not None]
        step.need(
            not any(varies[1:]) and not any(any(value.varies) for value in others), "another axis than its first varies"
        )
        sizes = [value.symbols.reshape(-1) for value in others if value.symbols is not None]
        step.need(
            not any(each[1:].any() or each[0] != varies[0] for each in sizes), "another axis than its first varies"
        )
        found = usual(step)
        result = found.outputs[0]
        step.need(bool(result.shape) and result.shape[0] == step.input(0).shape[0], "it changes the axis that varies")
        return found._replace(outputs=[result._replace(varies=(varies[0], *(0,) * (len(result.shape) - 1)))])

    return rule


def moved(usual: Rule) -> Rule:
    """Return the rule of an operator that rearranges the elements of its first input, whose axes do not vary."""

    def rule(step: Step) -> Result:
        given = step.input(0)
        step.need(not any(value is not None and any(value.varies) for value in step.inputs), "the axes that vary")
        step.need(
            not any(value is not None and value.symbols is not None for value in step.inputs[1:]),
            "the sizes that say how",
        )
        found = usual(step)
        of_symbols = usual(Step(step.node, (given._replace(known=symbols_of(given)), *step.inputs[1:])))
        return found._replace(
            outputs=[
                with_known(value.shape, value.kind, value.known, other.known)
                for value, other in zip(found.outputs, of_symbols.outputs)
            ]
        )

    return rule


def either(of_sizes: Rule, of_axes: Rule) -> Rule:
    """Return `of_sizes` where the first input holds sizes that vary, and `of_axes` where its axes do."""
    return lambda step: of_sizes(step) if step.input(0).symbols is not None else of_axes(step)


def concat(step: Step) -> Result:
    """Join along an axis."""
    values = [step.input(position) for position in range(len(step.inputs))]
    rank = len(values[0].shape)
    step.need(rank >= 1 and all(len(value.shape) == rank for value in values), "it joins shapes that do not fit")
    axis = step.axis(rank, 1)
    shape, varies = list(values[0].shape), list(varies_of(values[0]))
    for place in range(rank):
        axes = {(value.shape[place], varies_of(value)[place]) for value in values}
        if place == axis:
            shape[place] = sum(value.shape[place] for value in values)
            full = [value for value in values if value.shape[place]]
            which = {varies_of(value)[place] for value in full}
            varies[place] = which.pop() if len(full) == 1 else new_size() if any(which) else 0
            continue
        exact = {size for size, of_size in axes if not of_size}
        step.need(len(exact) <= 1, f"it joins shapes that do not fit: {', '.join(str(each.shape) for each in values)}")
        shape[place], varies[place] = (exact.pop(), 0) if exact else min(axes)
    known = symbols = None
    if not any(varies) and all(value.known is not None for value in values):
        known = np.concatenate([value.known for value in values if value.known is not None], axis)
        symbols = np.concatenate([symbols_of(value) for value in values], axis)
    result = with_known(tuple(shape), values[0].kind, known, symbols)._replace(varies=tuple(varies))
    return Result([result], CHEAP * result.elements)


def gather(step: Step) -> Result:
    """Choose entries along an axis by their numbers, which onnxruntime checks when it runs."""
    given, places = step.input(0), step.input(1)
    step.need(len(given.shape) >= 1, "it chooses from a single number")
    axis = step.axis(len(given.shape), 0)
    shape = given.shape[:axis] + places.shape + given.shape[axis + 1 :]
    varies = varies_of(given)[:axis] + varies_of(places) + varies_of(given)[axis + 1 :]
    known = symbols = None
    chosen = places.known if places.symbols is None else None
    if given.known is not None and chosen is not None and not any(varies):
        size = given.shape[axis]
        step.need(bool(((chosen >= -size) & (chosen < size)).all()), f"it chooses from {size}")
        known, symbols = given.known.take(chosen, axis), symbols_of(given).take(chosen, axis)
    result = with_known(shape, given.kind, known, symbols)._replace(varies=varies)
    return Result([result], CHEAP * result.elements, places.bytes)


def cut(step: Step) -> Result:
    """Take a part of some axes: never more than there is, and from a known start to a known end no more than that."""
    given = step.input(0)
    rank = len(given.shape)
    count = step.input(1).elements
    starts, ends = (numbers_or_none(step, position, count) for position in (1, 2))
    axes = tuple(range(count)) if step.optional(3) is None else step.integers(3)
    strides = (1,) * count if step.optional(4) is None else step.integers(4)
    step.need(len(axes) == len(strides) == len(ends) == count <= rank and all(strides), "its starts and ends")
    shape, varies = list(given.shape), list(varies_of(given))
    for (start, _), (end, of_end), axis, stride in zip(starts, ends, axes, strides):
        axis = step.checked_axis(axis, rank)
        size, of_size = given.shape[axis], varies[axis]
        if start is not None and end is not None and not of_end and not of_size:
            shape[axis] = len(range(size)[_part(step, start, end, stride, size)])
            continue
        everything = start == 0 and stride == 1 and end is not None and not of_end and end >= LARGEST_NUMBER
        if start is not None and start >= 0 and stride > 0:
            last = size if end is None else max(0, size + end) if end < 0 else min(end, size)
            shape[axis] = max(0, -(-(last - start) // stride))
        elif start is not None and stride > 0:  # so many from the end, at most
            shape[axis] = -(-min(size, -start) // stride)
        varies[axis] = of_size if everything else new_size()
    result = Value(tuple(shape), given.kind, varies=tuple(varies))
    if given.known is not None and not any(varies):
        return moved(shapes.cut)(step)
    return Result([result], CHEAP * result.elements)


def _part(step: Step, start: int, end: int, stride: int, size: int) -> slice:
    """Return a part of an axis of one size as a slice."""
    low, high = (0, size) if stride > 0 else (-1, size - 1)
    step.need(stride > 0 or start >= -size, "it starts before the first entry")
    first, last = (min(max(at + size if at < 0 else at, low), high) for at in (start, end))
    return slice(max(first, 0), None if last < 0 else last, stride)


def reshape(step: Step) -> Result:
    """Give another shape to the same elements."""
    given, wanted = step.input(0), list(step.integers(1))
    symbols = [int(each) for each in symbols_of(step.input(1)).reshape(-1)]
    keep_zero = bool(step.integer("allowzero", 0))
    for place, size in enumerate(wanted):
        if size == 0 and not symbols[place] and not keep_zero:
            step.need(place < len(given.shape), f"its shape {wanted}")
            wanted[place], symbols[place] = given.shape[place], varies_of(given)[place]
    step.need(len(wanted) <= LARGEST_RANK and all(size >= -1 for size in wanted), f"its shape {wanted}")
    if wanted.count(-1) == 1:
        place = wanted.index(-1)
        wanted[place], symbols[place] = _rest(step, given, wanted, symbols)
    step.need(-1 not in wanted, f"its shape {wanted}")
    step.need(any(symbols) or any(given.varies) or math.prod(wanted) == given.elements, f"its shape {wanted}")
    if given.symbols is not None and not any(symbols):
        return moved(shapes.reshape)(step)
    result = Value(tuple(wanted), given.kind, varies=tuple(symbols))
    return Result([result], CHEAP * max(result.elements, given.elements))


def _rest(step: Step, given: Value, wanted: Sequence[int], symbols: Sequence[int]) -> Tuple[int, int]:
    """Return the size that is left open, at most, and which size it is: all elements divided by the other sizes."""
    exact = math.prod(size for size, of_size in zip(wanted, symbols) if size != -1 and not of_size)
    step.need(exact > 0, f"its shape {list(wanted)}")
    of_given = Counter(each for each in varies_of(given) if each)
    of_others = Counter(each for size, each in zip(wanted, symbols) if size != -1 and each)
    step.need(
        not of_others - of_given, "it divides by a size that depends on the pixels, and is not one of its input's axes"
    )
    left = list((of_given - of_others).elements())
    bounds = dict(zip(varies_of(given), given.shape))
    fixed = math.prod(size for size, each in zip(given.shape, varies_of(given)) if not each)
    elements = fixed * math.prod(bounds[each] for each in left)
    same = left[0] if len(left) == 1 and fixed == exact else new_size()
    return elements // exact, same if left else 0


def flatten(step: Step) -> Result:
    """Join axes into two."""
    given = step.input(0)
    axis, varies = step.axis(len(given.shape), 1, end=True), varies_of(given)
    sizes, which = [], []
    for part, of_part in ((given.shape[:axis], varies[:axis]), (given.shape[axis:], varies[axis:])):
        others = [size for size, each in zip(part, of_part) if not each and size != 1]
        varying = [each for each in of_part if each]
        sizes.append(math.prod(part))
        which.append(0 if not varying else varying[0] if len(varying) == 1 and not others else new_size())
    return Result([Value(tuple(sizes), given.kind, varies=tuple(which))], CHEAP * given.elements)


def _axes(step: Step, rank: int, default: Optional[Tuple[int, ...]] = None) -> Optional[Tuple[int, ...]]:
    """Return the axes that an attribute or the second input names, which must not depend on the pixels."""
    named = step.optional(1)
    step.need(named is None or named.symbols is None, "the axes that it names")
    return shapes._axes(step, rank, default)


def squeeze(step: Step) -> Result:
    """Drop axes of size 1, which must be named."""
    given = step.input(0)
    axes = _axes(step, len(given.shape))
    step.need(axes is not None, "it does not say which axes it drops")
    kept = [axis for axis in range(len(given.shape)) if axis not in (axes or ())]
    step.need(
        all(given.shape[axis] == 1 or varies_of(given)[axis] for axis in axes or ()), "it drops an axis that is not 1"
    )
    shape, varies = (tuple(each[axis] for axis in kept) for each in (given.shape, varies_of(given)))
    return Result([Value(shape, given.kind, varies=varies)], CHEAP * given.elements)


def unsqueeze(step: Step) -> Result:
    """Add axes of size 1."""
    named = step.optional(1)
    step.need(named is None or named.symbols is None, "the axes that it names")
    found = shapes.unsqueeze(step)
    result = found.outputs[0]
    axes = shapes._axes(step, len(result.shape)) or ()
    left = iter(varies_of(step.input(0)))
    varies = tuple(0 if axis in axes else next(left) for axis in range(len(result.shape)))
    return found._replace(outputs=[Value(result.shape, result.kind, varies=varies)])


def transpose(step: Step) -> Result:
    """Change the order of axes."""
    found, varies = shapes.transpose(step), varies_of(step.input(0))
    order = step.node.attributes.get("perm", tuple(reversed(range(len(varies)))))
    result = found.outputs[0]
    return found._replace(outputs=[Value(result.shape, result.kind, varies=tuple(varies[axis] for axis in order))])


def expand(step: Step) -> Result:
    """Repeat along axes of size 1."""
    given, wanted = step.input(0), step.input(1)
    sizes = step.integers(1)
    step.need(all(0 <= size <= LARGEST_NUMBER for size in sizes), f"its size {list(sizes)}")
    target = Value(sizes, given.kind, varies=tuple(int(each) for each in symbols_of(wanted).reshape(-1)))
    shape, varies = broadcast(step, [given, target])
    return Result([Value(shape, given.kind, varies=varies)], CHEAP * math.prod(shape))


def tile(step: Step) -> Result:
    """Repeat an array along its axes."""
    given, times = step.input(0), step.integers(1)
    symbols = [int(each) for each in symbols_of(step.input(1)).reshape(-1)]
    step.need(
        len(times) == len(given.shape) and all(0 <= each <= LARGEST_NUMBER for each in times), f"it repeats {times}"
    )
    shape = tuple(size * each for size, each in zip(given.shape, times))
    varies = []
    for size, own, each, of_times in zip(given.shape, varies_of(given), times, symbols):
        if of_times:
            varies.append(of_times if size == 1 and not own else new_size())
        else:
            varies.append(own if each == 1 or not own else new_size())
    return Result([Value(shape, given.kind, varies=tuple(varies))], CHEAP * math.prod(shape))


def constant_of_shape(step: Step) -> Result:
    """Fill a shape with one value."""
    found, symbols = shapes.constant_of_shape(step), symbols_of(step.input(0)).reshape(-1)
    result = found.outputs[0]
    return found._replace(outputs=[Value(result.shape, result.kind, varies=tuple(int(each) for each in symbols))])


def range_of(step: Step) -> Result:
    """Count from one known number to at most another, by a known step."""
    start, by = (step.numbers(position).reshape(-1) for position in (0, 2))
    exact = all(step.input(position).symbols is None for position in (0, 2))
    step.need(exact and start.size == by.size == 1 and by[0] > 0, "its numbers")
    found = shapes.range_of(step)
    result = found.outputs[0]
    stop = int(symbols_of(step.input(1)).reshape(-1)[0])
    of_size = stop if start[0] == 0 and by[0] == 1 else new_size()
    return found._replace(outputs=[Value(result.shape, result.kind, varies=(of_size,))])


def reduce(step: Step) -> Result:
    """Sum up axes, or take their mean or largest value."""
    given = step.input(0)
    rank, varies = len(given.shape), varies_of(given)
    every = () if step.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    axes, keep = _axes(step, rank, every) or every, bool(step.integer("keepdims", 1))
    pairs = [
        (1, 0) if axis in axes else (given.shape[axis], varies[axis])
        for axis in range(rank)
        if keep or axis not in axes
    ]
    shape, which = tuple(size for size, _ in pairs), tuple(each for _, each in pairs)
    return Result([Value(shape, given.kind, varies=which)], COSTLY * given.elements, given.bytes)


def place_of_largest(step: Step) -> Result:
    """Return where along an axis the largest or smallest value is."""
    found, given = shapes.place_of_largest(step), step.input(0)
    axis = step.axis(len(given.shape), 0)
    varies = list(varies_of(given))
    varies[axis : axis + 1] = [0] if step.integer("keepdims", 1) else []
    return found._replace(outputs=[found.outputs[0]._replace(varies=tuple(varies))])


def matmul(step: Step) -> Result:
    """Multiply matrices, of which the first may have rows that vary."""
    first, second = step.input(0), step.input(1)
    step.need(not any(second.varies) and len(second.shape) == 2 and len(first.shape) >= 2, "its second matrix")
    step.need(not varies_of(first)[-1], "the axis over which it sums")
    found = shapes.matmul(step)
    return found._replace(outputs=[found.outputs[0]._replace(varies=(*varies_of(first)[:-1], 0))])


def gemm(step: Step) -> Result:
    """Multiply two matrices, of which the first may have rows that vary, and add a third."""
    first, second = step.input(0), step.input(1)
    step.need(not step.integer("transA", 0) and not any(second.varies), "its matrices")
    step.need(len(first.shape) == 2 and not varies_of(first)[1], "the axis over which it sums")
    for name in ("alpha", "beta"):
        step.real(name, 1.0)
    inner, columns = reversed(second.shape) if step.integer("transB", 0) else second.shape
    step.need(inner == first.shape[1], f"it multiplies {list(first.shape)} with {list(second.shape)}")
    bias = step.optional(2)
    step.need(bias is None or bias.shape in ((), (1,), (columns,), (1, columns)), "its bias does not fit")
    rows = first.shape[0]
    slower = SLOWER if min(rows, columns) < FEW_CHANNELS else 1
    result = Value((rows, columns), first.kind, varies=(varies_of(first)[0], 0))
    return Result([result], rows * columns * inner * slower, first.bytes + second.bytes)


def _along_fixed_axis(usual: Rule, default: int) -> Rule:
    """Return the rule of an operator that works along one axis, which must not vary."""

    def rule(step: Step) -> Result:
        axis = step.axis(len(step.input(0).shape), default)
        step.need(not varies_of(step.input(0))[axis], "the axis along which it works")
        return like_first(usual)(step)

    return rule


_UNARY = (
    *("Abs", "Ceil", "Exp", "Floor", "HardSwish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Sign"),
    *("Sqrt", "Tanh", "Sigmoid", "Log", "Erf", "Softsign", "Cos", "Mish", "Sin", "Softplus"),
    *("Celu", "Elu", "LeakyRelu", "ThresholdedRelu", "Gelu", "HardSigmoid", "Selu"),
)
BOUNDED: Dict[str, Rule] = {
    **dict.fromkeys(_UNARY, like_first(pointwise.unary(2 * COSTLY))),
    "Identity": either(moved(pointwise.unary()), like_first(pointwise.unary())),
    "Clip": like_first(pointwise.clip),
    "Dropout": like_first(pointwise.dropout),
    "Cast": cast,
    **dict.fromkeys((*BINARY, "Mean", "Sum"), elementwise),
    "Where": where,
    **dict.fromkeys(("Softmax", "LogSoftmax"), _along_fixed_axis(pointwise.softmax, -1)),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), first_axis(pointwise.normalization)),
    "GroupNormalization": first_axis(pointwise.normalization),
    "Conv": first_axis(windows.conv),
    "ConvTranspose": first_axis(windows.conv_transpose),
    **dict.fromkeys(("MaxPool", "AveragePool"), first_axis(windows.pool)),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), first_axis(windows.global_pool)),
    "Resize": first_axis(windows.resize),
    "Shape": shape_of,
    "ConstantOfShape": constant_of_shape,
    "Range": range_of,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": either(moved(shapes.squeeze), squeeze),
    "Unsqueeze": either(moved(shapes.unsqueeze), unsqueeze),
    "Transpose": either(moved(shapes.transpose), transpose),
    "Concat": concat,
    "Slice": cut,
    "Gather": gather,
    "Expand": expand,
    "Tile": tile,
    **dict.fromkeys((*shapes.REDUCED, "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare"), reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), place_of_largest),
    "MatMul": matmul,
    "Gemm": gemm,
}
