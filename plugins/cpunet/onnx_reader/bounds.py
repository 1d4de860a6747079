"""Compute, before a network runs, how much memory and work it needs for an input of some size."""

from __future__ import annotations

import math
from collections import deque
from typing import Deque, Dict, List, NamedTuple, Optional, Tuple

from cpunet.errors import ModelError, OutOfMemoryError
from cpunet.model.instances import OUTPUTS
from cpunet.onnx_reader.operators.bounded import BOUNDED
from cpunet.onnx_reader.operators.shapes import constant_value
from cpunet.onnx_reader.operators.step import LARGEST_RANK, RefusedError, Result, Step, Value
from cpunet.onnx_reader.operators.table import RULES, STANDARD_DOMAINS
from cpunet.onnx_reader.operators.zeros import zeros_of
from cpunet.onnx_reader.structure import Network, Node, shown
from cpunet.onnx_reader.tensor import FLOAT

# What the file computes from itself, when it is opened, whatever the image.
MOST_FIXED_BYTES, FIXED_BYTES_A_WEIGHT, MOST_FIXED_WORK = 2**27, 8, 2**32
# A U-Net of 64 channels needs 1.3 kB and 420 000 multiplications for a pixel; the largest of its kin (UNet 3+, with
# 320 channels at full size) 4 kB and 3 million. Up to 3 GiB, a network may need more for a pixel: then smaller tiles
# help. Beyond, it must be modest, so that a user of a large GPU can choose large tiles.
MOST_BYTES, MOST_BYTES_A_PIXEL = 3 * 2**30, 1536
MOST_WORK, MOST_WORK_A_PIXEL = 2**32, 2**22
# A Mask R-CNN looks again at a thousand places, and draws a mask for each of some hundred objects, in any image:
# 2.6e11 operations for a thousand places and 300 objects.
MOST_WORK_FOR_OBJECTS = 2**39
WAY_OUT = (
    "Export the network with the usual operators of a segmentation network (torch.onnx.export, opset 17, evaluation "
    "mode), or ask its author."
)


class Needs(NamedTuple):
    """What a network needs for one input.

    Attributes
    ----------
    bytes : int
        Of the intermediate values that exist at the same time, at most.
    work : int
        Multiplications and additions; those outside of convolutions count as many times as they are slower.
    fixed_bytes, fixed_work : int
        Of what does not depend on the image, and is computed when the file is opened.
    """

    bytes: int
    work: int
    fixed_bytes: int
    fixed_work: int


def check_needs(network: Network, shape: Tuple[int, ...]) -> Needs:
    """Follow the sizes of all values through a network, and raise an error if it needs too much.

    Parameters
    ----------
    network : Network
    shape : tuple of int
        (N, C, Y, X) of the input, or (N, C, Z, Y, X).

    Raises
    ------
    OutOfMemoryError
        If the intermediate values would take too much memory; a smaller input may fit.
    ModelError
        If a step is none that segmentation networks need, has an unusual attribute, does not fit its inputs, or has a
        result whose size depends on the pixels; or the network needs too much work, or too much when it is opened.
    """
    needs = follow(network, shape).needs
    weights = sum(constant_value(tensor).bytes for tensor in network.tensors)
    most_fixed = MOST_FIXED_BYTES + FIXED_BYTES_A_WEIGHT * weights
    if needs.fixed_bytes > most_fixed or needs.fixed_work > MOST_FIXED_WORK + FIXED_BYTES_A_WEIGHT * weights:
        raise ModelError(
            f"opening the network alone would compute {needs.fixed_bytes} bytes of constants by {needs.fixed_work} "
            f"operations; {most_fixed} bytes and {MOST_FIXED_WORK} operations are the limits. {WAY_OUT}"
        )
    pixels = shape[0] * math.prod(shape[2:])
    most = MOST_WORK + MOST_WORK_A_PIXEL * pixels
    if {output.name for output in network.outputs} == set(OUTPUTS):
        most += MOST_WORK_FOR_OBJECTS
    if needs.work > most:
        raise ModelError(
            f"on an input of shape {shape} the network would compute for {needs.work} operations; {most} is the limit, "
            "many times what the largest U-Nets need. Choose a smaller network."
        )
    most = max(MOST_BYTES, MOST_BYTES_A_PIXEL * pixels)
    if needs.bytes > most:
        raise OutOfMemoryError(
            f"on an input of shape {shape} the network would take {needs.bytes} bytes for its intermediate values; "
            f"{most} is the limit. Choose smaller tiles, or a smaller network.",
            shape,
        )
    return needs


class Followed(NamedTuple):
    """What is known of all values of a network, by name, and what it needs."""

    values: Dict[str, Value]
    needs: Needs


def follow(network: Network, shape: Tuple[int, ...]) -> Followed:
    """Follow the sizes of all values through a network; ModelError as in `check_needs`, but for the limits."""
    values: Dict[str, Value] = {}
    for tensor in network.tensors:
        _define(values, tensor.name, constant_value(tensor))
    (image,) = [each for each in network.inputs if each.name not in values]
    _define(values, image.name, Value(shape, image.data_type or FLOAT))
    one_size = image.dims is not None and all(size is not None and size > 0 for size in image.dims)
    nodes = in_order(network.nodes)
    last_use = {name: place for place, node in enumerate(nodes) for name in node.inputs}
    last_use.update({output.name: len(nodes) for output in network.outputs})
    dying: Dict[int, List[str]] = {}
    for name, place in last_use.items():
        dying.setdefault(place, []).append(name)
    now = values[image.name].bytes
    most, work, fixed_bytes, fixed_work = now, 0, 0, 0
    for place, node in enumerate(nodes):
        step = _step(node, values)
        result = _result(step)
        # onnxruntime computes beforehand what follows from the size of an image that can have but one size.
        fixed = not step.depends() or (one_size and node.operator in ("Shape", "Size"))
        size = sum(value.bytes for value in result.outputs)
        for name, value in zip(node.outputs, result.outputs):
            if name:
                _define(values, name, value._replace(fixed=fixed))
        if fixed:
            fixed_bytes, fixed_work = fixed_bytes + size + result.workspace, fixed_work + result.work
            continue
        work, now = work + result.work, now + size
        most = max(most, now + result.workspace)
        unused = [name for name in node.outputs if name and name not in last_use]
        now -= sum(values[name].bytes for name in [*dying.get(place, []), *unused] if _counted(values.get(name)))
    for output in network.outputs:
        if output.name not in values:
            raise ModelError(f"the network's output {shown(output.name)} is computed nowhere. {WAY_OUT}")
    return Followed(values, Needs(most, work, fixed_bytes, fixed_work))


def in_order(nodes: List[Node]) -> List[Node]:
    """Return the nodes so that each follows those whose results it uses, as onnxruntime orders them itself.

    Converters to float16 add their nodes at the end. Nodes in a circle come last, where their inputs are missing.
    """
    maker = {name: place for place, node in enumerate(nodes) for name in node.outputs if name}
    waits = [len({maker[name] for name in node.inputs if name in maker}) for node in nodes]
    users: Dict[int, List[int]] = {}
    for place, node in enumerate(nodes):
        for source in {maker[name] for name in node.inputs if name in maker}:
            users.setdefault(source, []).append(place)
    if all(source < place for source, found in users.items() for place in found):
        return nodes
    ready: Deque[int] = deque(place for place, count in enumerate(waits) if not count)
    order: List[int] = []
    while ready:
        place = ready.popleft()
        order.append(place)
        for user in users.get(place, []):
            waits[user] -= 1
            if not waits[user]:
                ready.append(user)
    circle = sorted(set(range(len(nodes))) - set(order))
    return [nodes[place] for place in [*order, *circle]]


def _reason(error: Exception) -> str:
    """Return why a step is refused; what its rule did not foresee is that it does not fit."""
    return str(error) if isinstance(error, RefusedError) else "it does not fit its inputs"


def _counted(value: Optional[Value]) -> bool:
    return value is not None and not value.fixed


def _define(values: Dict[str, Value], name: str, value: Value) -> None:
    if name in values:
        raise ModelError(f"the network has two values of the name {shown(name)}. {WAY_OUT}")
    values[name] = value


def _step(node: Node, values: Dict[str, Value]) -> Step:
    missing = [name for name in node.inputs if name and name not in values]
    if missing:
        raise ModelError(
            f"the network's node {shown(node.name)} uses {shown(missing[0])} before anything computes it. {WAY_OUT}"
        )
    return Step(node, tuple(values[name] if name else None for name in node.inputs))


def _followed(step: Step) -> Result:
    """Return the result of a step by the rule of its operator, which is another one where sizes are only bounds.

    Operators that find objects have one rule for both.
    """
    operator, rule = step.node.operator, RULES[step.node.domain, step.node.operator]
    if not step.is_bound() or rule.bounds:
        result = rule.compute(step)
    else:
        step.need(
            operator in BOUNDED and step.node.domain in STANDARD_DOMAINS,
            "the size of an input depends on the pixels, and this operator is not followed there",
        )
        result = BOUNDED[operator](step)
    outputs = [value._replace(zero=False, leading_zeros=()) for value in result.outputs]
    if not step.is_bound() and not rule.bounds:  # what a rule copied of its input
        outputs = [value._replace(varies=(), symbols=None) for value in outputs]
    return result._replace(outputs=[zeros_of(step, outputs[0]), *outputs[1:]])


def _result(step: Step) -> Result:
    node = step.node
    try:
        step.need(any(node.outputs), "it gives nothing")
        result = _followed(step)
        step.need(
            len(result.outputs) >= sum(1 for name in node.outputs if name) or not any(node.outputs[1:]),
            "it gives more than one output",
        )
        for value in result.outputs:
            step.need(len(value.shape) <= LARGEST_RANK, f"its result has {len(value.shape)} axes")
            step.need(value.elements > 0 or value.known is not None, "its result is empty")
    except (RefusedError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f"the network's node {shown(node.name)} with the operator {shown(node.operator)} is not run: "
            f"{_reason(error)}. {WAY_OUT}"
        ) from None
    return result
