"""Steps of networks that find objects: their results have as many rows as there are objects, at most so many."""

from __future__ import annotations

import itertools
import math
from typing import Tuple

from cpunet.onnx_reader.operators.pointwise import CHEAP, COSTLY
from cpunet.onnx_reader.operators.step import Result, Step, Value
from cpunet.onnx_reader.tensor import INT64

# A crop of a feature map has 7 x 7 or 14 x 14 bins, and 2 x 2 samples in each.
LARGEST_BINS, MOST_SAMPLES = 64, 8
# For each sample of a bin, onnxruntime keeps four places and four shares.
BYTES_A_SAMPLE = 64
REDUCTIONS = ("none", "add", "mul", "max", "min")
_numbers = itertools.count(1)


def new_size() -> int:
    """Return a number for a size that depends on the pixels, different from all others."""
    return next(_numbers)


def varies_of(value: Value) -> Tuple[int, ...]:
    """Return for each axis of a value which size it has; 0 where its shape says it."""
    return value.varies or (0,) * len(value.shape)


def size_known(step: Step, position: int) -> Tuple[int, int]:
    """Return the one whole number of an input, and which size it is if it depends on the pixels (else 0)."""
    (number,) = step.integers(position) if step.input(position).elements == 1 else (None,)
    step.need(number is not None, f"its input {position} is not one number")
    symbols = step.input(position).symbols
    return int(number or 0), 0 if symbols is None else int(symbols.reshape(-1)[0])


def non_max_suppression(step: Step) -> Result:
    """Choose boxes (N, boxes, 4) by their scores (N, classes, boxes), and drop those that overlap with better ones."""
    boxes, scores = step.input(0), step.input(1)
    step.integer("center_point_box", 0)
    step.need(len(boxes.shape) == len(scores.shape) == 3 and boxes.shape[2] == 4, "its boxes and scores")
    step.need(boxes.shape[0] == scores.shape[0] and not any(varies_of(boxes)[::2]), "its boxes and scores")
    most, _ = size_known(step, 2)
    step.need(most >= 1, f"it keeps {most} boxes")
    for position in (3, 4):
        step.shaped(position, (), (1,))
    lists, each = math.prod(scores.shape[:2]), min(boxes.shape[1], scores.shape[2])
    kept = min(most, each)
    result = Value((lists * kept, 3), INT64, varies=(new_size(), 0))
    return Result([result], lists * each * (COSTLY + 16 * kept), 32 * lists * each)


def non_zero(step: Step) -> Result:
    """Return the places of all elements that are not 0: a row for each axis, a column for each element."""
    given = step.input(0)
    step.need(len(given.shape) >= 1, "it looks at a single number")
    result = Value((len(given.shape), given.elements), INT64, varies=(0, new_size()))
    return Result([result], CHEAP * result.elements, result.bytes)


def compress(step: Step) -> Result:
    """Choose the entries of an axis for which a list says so."""
    given, chosen = step.input(0), step.input(1)
    step.need(len(chosen.shape) == 1, "its list of choices")
    if "axis" not in step.node.attributes:
        most = min(given.elements, chosen.elements)
        return Result([Value((most,), given.kind, varies=(new_size(),))], CHEAP * given.elements)
    axis, varies = step.axis(len(given.shape), 0), list(varies_of(given))
    varies[axis] = new_size()
    shape = (*given.shape[:axis], min(given.shape[axis], chosen.elements), *given.shape[axis + 1 :])
    return Result([Value(shape, given.kind, varies=tuple(varies))], CHEAP * given.elements)


def top_k(step: Step) -> Result:
    """Return the largest or smallest entries along an axis, and where they are."""
    given = step.input(0)
    axis, varies = step.axis(len(given.shape), -1), list(varies_of(given))
    for name in ("largest", "sorted"):
        step.integer(name, 1)
    count, of_size = size_known(step, 1)
    step.need(count >= 1, f"it keeps {count} entries")
    step.need(
        count <= given.shape[axis] or bool(of_size or varies[axis]), f"it keeps {count} of {given.shape[axis]} entries"
    )
    varies[axis] = of_size
    shape = (*given.shape[:axis], count, *given.shape[axis + 1 :])
    outputs = [Value(shape, kind, varies=tuple(varies)) for kind in (given.kind, INT64)]
    return Result(outputs, COSTLY * given.elements, 16 * given.elements)


def roi_align(step: Step) -> Result:
    """Sample a crop of a feature map (N, C, Y, X) for each box (n, 4); the third input says of which image.

    onnxruntime 1.19 does not check that number, and reads beyond the memory where it is too large; and with adaptive
    sampling it takes as many samples as a box is large. So that number must be 0, and the samples stand in the file.
    """
    given, boxes, images = step.input(0), step.input(1), step.input(2)
    step.text("mode", "avg", ("avg", "max"))
    step.text("coordinate_transformation_mode", "half_pixel", ("half_pixel", "output_half_pixel"))
    step.real("spatial_scale", 1.0)
    step.need(len(given.shape) == 4 and not any(given.varies), "its feature map")
    step.need(len(boxes.shape) == 2 and boxes.shape[1] == 4 and len(images.shape) == 1, "its boxes")
    bins = [step.integer(name, 1) for name in ("output_height", "output_width")]
    step.need(all(1 <= size <= LARGEST_BINS for size in bins), f"its result has {bins} bins")
    samples = step.integer("sampling_ratio", 0)
    step.need(
        1 <= samples <= MOST_SAMPLES,
        f"its sampling_ratio is {samples}, and must be 1 to {MOST_SAMPLES}, so that the work does not depend on the "
        "boxes",
    )
    step.need(
        images.is_zero,
        "its input 2, which image each box belongs to, is not certainly 0: it must be filled with 0, as by "
        "ConstantOfShape",
    )
    count = min(boxes.shape[0], images.shape[0])
    result = Value((count, given.shape[1], *bins), given.kind, varies=(varies_of(boxes)[0], 0, 0, 0))
    of_a_box = math.prod(bins) * samples**2
    return Result([result], 16 * count * given.shape[1] * of_a_box, BYTES_A_SAMPLE * of_a_box * 64)


def gather_nd(step: Step) -> Result:
    """Choose entries by places that have a number for each of the first axes."""
    given, places = step.input(0), step.input(1)
    step.need(step.integer("batch_dims", 0) == 0, "its batch_dims is not 0")
    step.need(len(places.shape) >= 1 and not varies_of(places)[-1], "its places")
    axes = places.shape[-1]
    step.need(1 <= axes <= len(given.shape), f"its places have {axes} numbers for {len(given.shape)} axes")
    shape, varies = places.shape[:-1] + given.shape[axes:], varies_of(places)[:-1] + varies_of(given)[axes:]
    return Result([Value(shape, given.kind, varies=varies)], CHEAP * math.prod(shape), places.bytes)


def gather_elements(step: Step) -> Result:
    """Choose an element for each place by its number along an axis."""
    given, places = step.input(0), step.input(1)
    step.need(len(given.shape) == len(places.shape) >= 1, "its places")
    step.axis(len(given.shape), 0)
    return Result([Value(places.shape, given.kind, varies=places.varies)], CHEAP * places.elements, places.bytes)


def scatter(step: Step) -> Result:
    """Replace elements of a copy by others, at places that are given."""
    given, places, others = step.input(0), step.input(1), step.input(2)
    step.text("reduction", "none", REDUCTIONS)
    if step.node.operator == "ScatterElements":
        step.axis(len(given.shape), 0)
        step.need(len(given.shape) == len(places.shape) == len(others.shape), "its places")
    result = Value(given.shape, given.kind, varies=given.varies)
    return Result([result], CHEAP * (given.elements + others.elements), given.bytes + places.bytes)
