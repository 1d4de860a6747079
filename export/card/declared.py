"""The channels and axes that another program's ONNX file declares."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from cpunet.checks.verify import NEWEST_IR, NEWEST_OPSET
from cpunet.errors import ModelError
from cpunet.model.card import VOLUMES
from cpunet.model.instances import OUTPUTS


@dataclass(frozen=True)
class Declared:
    """What a file declares; None where the file leaves it free, or does not say it.

    Attributes
    ----------
    in_channels, out_channels : int, optional
    tile_shape : tuple of int, optional
        Height and width, pixels, of a network that takes no other.
    gives_objects : bool
        Whether its outputs are the boxes, scores and masks of objects.
    dimensions : int, optional
        2 if it takes images, 3 if it takes volumes.
    """

    in_channels: int | None
    out_channels: int | None
    tile_shape: tuple[int, int] | None = None
    gives_objects: bool = False
    dimensions: int | None = None


def declared_channels(model: onnx.ModelProto) -> Declared:
    """Check what `cpunet.onnx_reader.safety.check_onnx` lets pass and a card cannot describe; return the channels.

    Raises
    ------
    ModelError
        If it is too new, its input is not one float32 tensor (N, C, Y, X) or (N, C, Z, Y, X), or its output neither
        that nor objects. N must be free or 1, Y and X both free or both fixed, the same at both ends; those of volumes
        must be free.
    """
    graph = model.graph
    opset = max([entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")], default=0)
    if opset > NEWEST_OPSET or model.ir_version > NEWEST_IR:
        raise ModelError(
            f"it has opset {opset} and IR version {model.ir_version}; CellProfiler's onnxruntime 1.19.2 opens up to "
            f"opset {NEWEST_OPSET} and IR version {NEWEST_IR}. Export the network again with opset 17."
        )
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    gives_objects = {value.name for value in graph.output} == set(OUTPUTS)
    if len(inputs) != 1 or (len(graph.output) != 1 and not gives_objects):
        raise ModelError(
            f"the network has {len(inputs)} inputs ({', '.join(value.name for value in inputs)}) and "
            f"{len(graph.output)} outputs ({', '.join(value.name for value in graph.output)}); one of each is needed."
        )
    in_channels, takes = _channels_and_sides(inputs[0], "input")
    axes = len(inputs[0].type.tensor_type.shape.dim) if inputs[0].type.tensor_type.HasField("shape") else None
    if gives_objects:
        return Declared(in_channels, None, takes, gives_objects)
    out_channels, gives = _channels_and_sides(graph.output[0], "output")
    if gives is not None and takes != gives:
        found = "any size" if takes is None else f"{takes[0]} x {takes[1]} pixels"
        raise ModelError(
            f"the network takes {found} and gives {gives[0]} x {gives[1]} pixels; both must be the same. Export it "
            "again with dynamic axes, and padded so that its output is as large as its input."
        )
    return Declared(in_channels, out_channels, takes, dimensions=None if axes is None else axes - 2)


def _channels_and_sides(value: onnx.ValueInfoProto, what: str) -> tuple[int | None, tuple[int, int] | None]:
    """Check a declared tensor, and return its number of channels, and its height and width where they are fixed."""
    tensor = value.type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        name = onnx.TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type else "no tensor"
        raise ModelError(
            f"its {what} {value.name!r} is {name}; float32 is needed. Export the network with that type at its input "
            "and output."
        )
    if not tensor.HasField("shape"):
        return None, None
    # Some exporters write -1 for a free size.
    shape = [dim.dim_value if dim.dim_value > 0 else dim.dim_param or "?" for dim in tensor.shape.dim]
    text = f"({', '.join(str(size) for size in shape)})"
    if isinstance(shape[-1], int) and not any(isinstance(size, int) for size in shape[:-1]):
        raise ModelError(
            f"its {what} {value.name!r} has the shape {text}, with the channels last; they must stand second. Export "
            "the network with channels first, or with a transpose at its input and output."
        )
    if len(shape) == 2 + VOLUMES and any(isinstance(side, int) for side in shape[2:]):
        raise ModelError(
            f"its {what} {value.name!r} has the fixed shape {text}; planes, height and width of volumes must all be "
            "free. Export the network again with dynamic axes; docs/model-card.md has the call."
        )
    sides = [side for side in shape[2:] if isinstance(side, int)]
    if len(sides) == 1 or (isinstance(shape[0], int) and shape[0] != 1):
        raise ModelError(
            f"its {what} {value.name!r} has the fixed shape {text}; the batch must be free or 1, and height and width "
            "both free or both fixed. Export the network again with dynamic axes; docs/model-card.md has the call."
        )
    return shape[1] if isinstance(shape[1], int) else None, (sides[0], sides[1]) if sides else None
