"""Put a package's steps into its network, as ONNX's own operators, and turn its axes into those that cpunet takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cpunet.errors import ModelError
from cpunet.export.bioimageio.steps import Step
from cpunet.export.bioimageio.tensors import Layout
from cpunet.export.card.file import network

OLDEST_OPSET = 9
OPERATORS = {"add": "Add", "multiply": "Mul"}
TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
CASTS = {
    "bool": TensorProto.BOOL,
    **{
        f"{sign}int{bits}": getattr(TensorProto, f"{sign}int{bits}".upper())
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
}


def with_steps(
    onnx_bytes: bytes,
    before: Sequence[Step],
    after: Sequence[Step],
    takes: Layout,
    gives: Layout,
    one_at_a_time: bool,
) -> bytes:
    """Make a network of float32 (N, C, Y, X) to (N, C, Y, X), or with Z of volumes, of a package's network.

    Parameters
    ----------
    onnx_bytes : bytes
        Of one input and one output.
    before, after : sequence of Step
        Put before and after the network.
    takes, gives : Layout
        The axes of the network's own input and output.
    one_at_a_time : bool
        Whether the package takes one image at a time.

    Returns
    -------
    bytes
        `onnx_bytes` themselves if nothing needs to be changed.

    Raises
    ------
    ModelError
        If the file has an opset older than 9, or not one input and one output.
    """
    model = network(onnx_bytes)
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelError(
            f"its network has {len(inputs)} inputs and {len(graph.output)} outputs; one of each is needed. Export it "
            "with an image as its only input, and one output."
        )
    given, end = inputs[0], graph.output[0]
    kinds = [value.type.tensor_type.elem_type for value in (given, end)]
    if not set(kinds) <= {*TYPES, *CASTS.values()}:
        raise ModelError("its network takes or gives something else than one tensor of numbers. Export it for images.")
    single_batch = one_at_a_time and _declared(given, takes)[0] != 1
    as_it_is = takes.is_ours and gives.is_ours and kinds == [TensorProto.FLOAT] * 2 and not single_batch
    if as_it_is and not before and not after:
        return onnx_bytes
    opset = max([entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")], default=0)
    if opset < OLDEST_OPSET:
        raise ModelError(
            f"its network has opset {opset}, and steps can be put into one from {OLDEST_OPSET} on. Export it again, or "
            "convert it with onnx.version_converter."
        )
    first = _Chain("cpunet_input", "cpunet_before", opset, len(takes.ours))
    first.add_all(before)
    if kinds[0] != TensorProto.FLOAT:
        first.add("Cast", to=kinds[0])
    first.reshape("Squeeze", takes.missing)
    first.transpose(takes.order)
    first.reshape("Unsqueeze", takes.single)
    last = _Chain(end.name, "cpunet_after", opset, len(gives.ours))
    last.reshape("Squeeze", gives.single)
    last.transpose(tuple(np.argsort(gives.order)))
    last.reshape("Unsqueeze", gives.missing)
    if kinds[1] != TensorProto.FLOAT:
        last.add("Cast", to=TensorProto.FLOAT)
    last.add_all(after)
    batch = 1 if one_at_a_time or 0 in (*takes.missing, *gives.missing) else None
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch or shape[0] or "N", *shape[1:]])
        for name, shape in (("cpunet_input", _declared(given, takes)), ("cpunet_output", _declared(end, gives)))
    ]
    nodes = [*first.ending(given.name), *graph.node, *last.ending("cpunet_output")]
    kept = [value for value in graph.input if value.name in weights]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.extend([ends[0], *kept])
    graph.output.append(ends[1])
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _declared(value: onnx.ValueInfoProto, layout: Layout) -> list[int | str]:
    """Return the declared sizes of a tensor as those of (N, C, Y, X) or (N, C, Z, Y, X)."""
    dims = value.type.tensor_type.shape.dim
    if value.type.tensor_type.HasField("shape") and len(dims) != len(layout.kinds):
        raise ModelError(
            f"its network's {value.name!r} has {len(dims)} axes, and its description names {len(layout.kinds)}: "
            f"{', '.join(layout.names)}. Ask its author to correct it."
        )
    sizes = {kind: dim.dim_value for kind, dim in zip(layout.kinds, dims, strict=False) if dim.dim_value > 0}
    batch = sizes.get("batch", "N") if "batch" in layout.kinds else 1
    return [batch, layout.channels, *(sizes.get(axis, axis.upper()) for axis in layout.space)]


class _Chain:
    """Nodes one after the other, each of which takes the output of the one before."""

    def __init__(self, start: str, name: str, opset: int, axes: int) -> None:
        self._now, self._name, self._opset, self._axes = start, name, opset, axes
        self._nodes: list[onnx.NodeProto] = []

    def add(self, operator: str, constant: np.ndarray | None = None, **attributes: object) -> None:
        inputs = [self._now]
        output = f"{self._name}_{len(self._nodes)}"
        if constant is not None:
            inputs.append(f"{output}_constant")
            value = numpy_helper.from_array(constant)
            self._nodes.append(helper.make_node("Constant", [], [inputs[1]], value=value))
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        self._now = output

    def add_all(self, steps: Sequence[Step]) -> None:
        for step in steps:
            values = np.array(step.values, np.float32).reshape(-1, *(1,) * (self._axes - 2))
            if step.kind in OPERATORS:
                self.add(OPERATORS[step.kind], values)
            elif step.kind == "clip":
                for operator, limit in zip(("Max", "Min"), step.values, strict=True):
                    if math.isfinite(limit):
                        self.add(operator, np.array(limit, np.float32))
            elif step.kind == "above":
                self.add("Greater", values)
                self.add("Cast", to=TensorProto.FLOAT)
            elif step.kind == "cast":
                self.add("Cast", to=CASTS[step.dtype])
                self.add("Cast", to=TensorProto.FLOAT)
            elif step.kind == "sigmoid":
                self.add("Sigmoid")
            else:  # before opset 13, a Softmax takes all axes from the given one on together
                last = self._axes - 1
                self.transpose((0, *range(2, self._axes), 1))
                self.add("Softmax", axis=last)
                self.transpose((0, last, *range(1, last)))

    def transpose(self, order: Sequence[int]) -> None:
        if list(order) != sorted(order):
            self.add("Transpose", perm=[int(place) for place in order])

    def reshape(self, operator: str, axes: Sequence[int]) -> None:
        """Take out or put in axes of length 1, with ``Squeeze`` or ``Unsqueeze``."""
        if axes and self._opset < 13:
            self.add(operator, axes=list(axes))
        elif axes:
            self.add(operator, np.array(axes, np.int64))

    def ending(self, name: str) -> list[onnx.NodeProto]:
        """Return the nodes, the last of which gives `name`."""
        return [*self._nodes, helper.make_node("Identity", [self._now], [name])]
