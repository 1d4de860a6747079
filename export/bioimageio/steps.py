"""Pre- and postprocessing of a bioimage.io package: what cpunet does itself, and what goes into the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
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
    """One operation on each pixel, or over its channels, that ONNX has.

    Attributes
    ----------
    operator : str
        ``Clip``, ``Mul``, ``Add``, ``Sigmoid`` or ``Softmax``.
    constants : tuple of float or None
        What it takes beside the image.
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


def read_preprocessing(steps: object, channels: int, tensor: str) -> Preprocessing:
    """Translate a package's preprocessing.

    Parameters
    ----------
    steps : object
        The description's list.
    channels : int
        Of the input.
    tensor : str
        The input's name.

    Returns
    -------
    Preprocessing

    Raises
    ------
    ModelError
        Names the step that is not implemented.
    """
    listed = [step for step in _listed(steps, "preprocessing") if not _keeps_float(step, "preprocessing")]
    if not listed or listed[0][0] != "scale_range":
        return Preprocessing(Normalization(kind="none"), _inside(listed, "preprocessing"), exact=True)
    low, high = _percentiles(listed[0][1], channels, tensor)
    inside = _inside(listed[1:], "preprocessing")
    first = inside[0] if inside else Step("")
    lowest, highest = first.constants if first.operator == "Clip" else (None, None)
    if lowest == LOWEST and highest is not None and highest > 0:
        return Preprocessing(Normalization("percentile", low, high, highest), inside[1:], exact=True)
    # What cpunet limits is limited further, or not at all: no pixel lies below the darkest.
    exact = low == 0 or (lowest is not None and lowest >= LOWEST)
    return Preprocessing(Normalization("percentile", low, high, UNLIMITED), inside, exact)


def read_postprocessing(steps: object) -> tuple[Step, ...]:
    """Translate a package's postprocessing; all of it goes into the network.

    Parameters
    ----------
    steps : object
        The description's list.

    Returns
    -------
    tuple of Step

    Raises
    ------
    ModelError
        Names the step that is not implemented.
    """
    where = "postprocessing"
    return _inside([step for step in _listed(steps, where) if not _keeps_float(step, where)], where)


def _listed(steps: object, where: str) -> list[tuple[str, Mapping[str, Any]]]:
    if steps is None:
        return []
    if not isinstance(steps, Sequence) or isinstance(steps, str):
        raise ModelError(f"its {where} is no list of steps.")
    listed = []
    for step in steps:
        kwargs = step.get("kwargs") or {} if isinstance(step, Mapping) else None
        if not isinstance(kwargs, Mapping) or not isinstance(step.get("id"), str):
            raise ModelError(f"its {where} has a step without an id: {step!r}.")
        listed.append((step["id"], kwargs))
    return listed


def _keeps_float(step: tuple[str, Mapping[str, Any]], where: str) -> bool:
    name, kwargs = step
    if name == "ensure_dtype" and kwargs.get("dtype") not in ("float32", "float64"):
        raise _not_implemented(where, name, f"to {kwargs.get('dtype')!r}; cpunet computes with float32")
    return name == "ensure_dtype"


def _percentiles(kwargs: Mapping[str, Any], channels: int, tensor: str) -> tuple[float, float]:
    """Check a scale_range, and return its percentiles."""
    axes = kwargs.get("axes")
    given = set(map(str, axes)) if isinstance(axes, Sequence) and not isinstance(axes, str) else None
    if given is None or "batch" in given:
        found = "over all axes" if given is None else f"over {', '.join(sorted(given))}"
        raise _not_implemented("preprocessing", "scale_range", f"{found}; cpunet takes each image by itself, over y, x")
    if given - {"channel"} != {"y", "x"} or ("channel" in given and channels > 1):
        found = ", ".join(sorted(given))
        raise _not_implemented("preprocessing", "scale_range", f"over {found}; cpunet takes each channel over y, x")
    if kwargs.get("reference_tensor") not in (None, tensor):
        raise _not_implemented("preprocessing", "scale_range", "by the percentiles of another tensor")
    epsilon = _number(kwargs.get("eps", 1e-6), "scale_range.eps")
    if epsilon > LARGEST_EPSILON:
        raise _not_implemented("preprocessing", "scale_range", f"with eps {epsilon:g}; cpunet adds nothing")
    return (
        _number(kwargs.get("min_percentile", 0.0), "scale_range.min_percentile"),
        _number(kwargs.get("max_percentile", 100.0), "scale_range.max_percentile"),
    )


def _inside(steps: list[tuple[str, Mapping[str, Any]]], where: str) -> tuple[Step, ...]:
    found: list[Step] = []
    for name, kwargs in steps:
        if name == "clip" and not {"min_percentile", "max_percentile"} & set(kwargs):
            limits = [kwargs.get(limit) for limit in ("min", "max")]
            found.append(Step("Clip", tuple(None if x is None else _number(x, f"clip of {x!r}") for x in limits)))
        elif name == "scale_linear" and not kwargs.get("axis"):
            found.append(Step("Mul", (_number(kwargs.get("gain", 1.0), "scale_linear.gain"),)))
            found.append(Step("Add", (_number(kwargs.get("offset", 0.0), "scale_linear.offset"),)))
        elif name == "sigmoid" and where == "postprocessing":
            found.append(Step("Sigmoid"))
        elif name == "softmax" and where == "postprocessing" and kwargs.get("axis", "channel") == "channel":
            found.append(Step("Softmax"))
        else:
            raise _not_implemented(where, name, f"with {dict(kwargs)}" if kwargs else "")
    return tuple(found)


def _number(value: object, name: str) -> float:
    try:
        # YAML 1.1 takes 1e-06, which programs write that go by YAML 1.2, for a text.
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ModelError(f"its {name} is no number: {value!r}.")
    return number


def _not_implemented(where: str, step: str, how: str) -> ModelError:
    return ModelError(
        f"its {where} has the step {step}{' ' + how if how else ''}, which is not implemented. Implemented are "
        f"{IMPLEMENTED}. Train or export the model with these, or ask for the step."
    )


def with_steps(onnx_bytes: bytes, before: Sequence[Step], after: Sequence[Step]) -> bytes:
    """Put operations before and after a network.

    Parameters
    ----------
    onnx_bytes : bytes
        One input and one output.
    before, after : sequence of Step

    Returns
    -------
    bytes
        The same as given if there is no step.

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
