"""Pre- and postprocessing of a bioimage.io package: what cpunet does itself, and what goes into the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from bioimageio.spec.model.v0_5 import (
    ClipDescr,
    EnsureDtypeDescr,
    ScaleLinearDescr,
    ScaleLinearKwargs,
    ScaleRangeDescr,
    SigmoidDescr,
    SoftmaxDescr,
)
from onnx import helper, numpy_helper

from cpunet.errors import ModelError
from cpunet.export.card.file import network
from cpunet.model.card import Normalization

# cpunet adds nothing to the contrast that it divides by; a larger number than this would show in images from 0 to 1.
LARGEST_EPSILON = 1e-5
# Limits no image, for a package that limits none.
UNLIMITED = 1e6
LOWEST = -1.0
OLDEST_OPSET = 13
IMPLEMENTED = "before the network ensure_dtype, scale_range, clip, scale_linear; after it sigmoid, softmax, too"


@dataclass(frozen=True)
class Step:
    """One operation of ONNX on each pixel, or over its channels.

    Attributes
    ----------
    operator : str
        ``Clip``, ``Mul``, ``Add``, ``Sigmoid`` or ``Softmax``.
    constants : tuple of float or None
        Its further inputs.
    """

    operator: str
    constants: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an image before the network.

    Attributes
    ----------
    normalization : Normalization
        Done by cpunet, on the whole image.
    inside : tuple of Step
        Done after it, inside the network.
    exact : bool
        Whether it is the package's own in every pixel, also in those darker than -1 after normalization.
    """

    normalization: Normalization
    inside: tuple[Step, ...]
    exact: bool


def read_preprocessing(steps: Sequence[Any], channels: int, tensor: str) -> Preprocessing:
    """Translate a package's preprocessing.

    Parameters
    ----------
    steps : sequence of PreprocessingDescr
    channels : int
        Of the input.
    tensor : str
        The input's name.

    Raises
    ------
    ModelError
        Names the step that is not implemented.
    """
    left = _without_conversions(steps, "preprocessing")
    if not left or not isinstance(left[0], ScaleRangeDescr):
        return Preprocessing(Normalization(kind="none", units="as_stored"), _inside(left, "preprocessing"), exact=True)
    low, high = _percentiles(left[0], channels, tensor)
    inside = _inside(left[1:], "preprocessing")
    first = inside[0] if inside else Step("")
    lowest, highest = first.constants if first.operator == "Clip" else (None, None)
    if lowest == LOWEST and highest is not None and highest > 0:
        return Preprocessing(Normalization("percentile", low, high, highest), inside[1:], exact=True)
    # What cpunet limits is limited further, or not at all: no pixel lies below the darkest.
    exact = low == 0 or (lowest is not None and lowest >= LOWEST)
    return Preprocessing(Normalization("percentile", low, high, UNLIMITED), inside, exact)


def read_postprocessing(steps: Sequence[Any]) -> tuple[Step, ...]:
    """Translate a package's postprocessing; all of it goes into the network.

    Raises
    ------
    ModelError
        Names the step that is not implemented.
    """
    return _inside(_without_conversions(steps, "postprocessing"), "postprocessing")


def _without_conversions(steps: Sequence[Any], where: str) -> list[Any]:
    """Leave out conversions to float, which change nothing, and refuse all others."""
    for step in steps:
        if isinstance(step, EnsureDtypeDescr) and step.kwargs.dtype not in ("float32", "float64"):
            raise _not_implemented(where, step, f"to {step.kwargs.dtype!r}; cpunet computes with float32")
    return [step for step in steps if not isinstance(step, EnsureDtypeDescr)]


def _percentiles(step: ScaleRangeDescr, channels: int, tensor: str) -> tuple[float, float]:
    """Check a scale_range, and return its percentiles."""
    given = step.kwargs
    axes = None if given.axes is None else set(map(str, given.axes))
    if axes is None or axes - {"channel"} != {"y", "x"} or ("channel" in axes and channels > 1):
        found = "all axes" if axes is None else ", ".join(sorted(axes))
        raise _not_implemented("preprocessing", step, f"over {found}; cpunet takes each channel and image over y, x")
    if given.reference_tensor not in (None, tensor):
        raise _not_implemented("preprocessing", step, "by the percentiles of another tensor")
    if given.eps > LARGEST_EPSILON:
        raise _not_implemented("preprocessing", step, f"with eps {given.eps:g}; cpunet adds nothing")
    return given.min_percentile, given.max_percentile


def _inside(steps: Sequence[Any], where: str) -> tuple[Step, ...]:
    found: list[Step] = []
    for step in steps:
        given = getattr(step, "kwargs", None)
        if isinstance(step, ClipDescr) and given.min_percentile is None and given.max_percentile is None:
            found.append(Step("Clip", (given.min, given.max)))
        elif isinstance(step, ScaleLinearDescr) and isinstance(given, ScaleLinearKwargs):
            found += [Step("Mul", (given.gain,)), Step("Add", (given.offset,))]
        elif where == "postprocessing" and isinstance(step, SigmoidDescr):
            found.append(Step("Sigmoid"))
        elif where == "postprocessing" and isinstance(step, SoftmaxDescr) and str(given.axis) == "channel":
            found.append(Step("Softmax"))
        else:
            raise _not_implemented(where, step, f"with {given}" if given is not None else "")
        if not all(number is None or math.isfinite(number) for each in found for number in each.constants):
            raise ModelError(f"its {where} has the step {step.id} with a value that is no number: {given}.")
    return tuple(found)


def _not_implemented(where: str, step: Any, how: str) -> ModelError:
    return ModelError(
        f"its {where} has the step {step.id}{' ' + how if how else ''}, which is not implemented. Implemented are "
        f"{IMPLEMENTED}. Train or export the model with these, or ask for the step."
    )


def with_steps(onnx_bytes: bytes, before: Sequence[Step], after: Sequence[Step]) -> bytes:
    """Put operations before and after a network of one input and one output.

    Raises
    ------
    ModelError
        If the file has an opset older than 13.
    """
    if not before and not after:
        return onnx_bytes
    model = network(onnx_bytes)
    opset = max([entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")], default=0)
    if opset < OLDEST_OPSET:
        raise ModelError(f"it has opset {opset}, and steps can be put into a network from {OLDEST_OPSET} on.")
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    given = next(value for value in graph.input if value.name not in weights)
    if before:
        start, given.name = given.name, "cpunet_input"
        first = _chain(given.name, start, before, "cpunet_before")
        kept = list(graph.node)
        del graph.node[:]
        graph.node.extend([*first, *kept])
    if after:
        end, graph.output[0].name = graph.output[0].name, "cpunet_output"
        graph.node.extend(_chain(end, graph.output[0].name, after, "cpunet_after"))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _chain(start: str, end: str, steps: Sequence[Step], name: str) -> list[onnx.NodeProto]:
    nodes = []
    for number, step in enumerate(steps):
        inputs = [start if number == 0 else f"{name}_{number}"]
        for place, constant in enumerate(step.constants):
            inputs.append("" if constant is None else f"{name}_{number}_{place}")
            if constant is not None:
                value = numpy_helper.from_array(np.array(constant, np.float32))
                nodes.append(helper.make_node("Constant", [], [inputs[-1]], value=value))
        output = end if number == len(steps) - 1 else f"{name}_{number + 1}"
        axis = {"axis": 1} if step.operator == "Softmax" else {}
        nodes.append(helper.make_node(step.operator, inputs, [output], **axis))
    return nodes
