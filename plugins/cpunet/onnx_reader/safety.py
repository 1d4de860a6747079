"""Before an ONNX file is opened, refuse one that could read other files, run code, crash or fill the memory."""

from __future__ import annotations

import math
from typing import BinaryIO, List, Optional, Tuple

from cpunet.errors import ModelError
from cpunet.model.instances import OUTPUTS
from cpunet.onnx_reader.bounds import WAY_OUT, check_needs
from cpunet.onnx_reader.model_file import ModelFile, check_size
from cpunet.onnx_reader.operators.table import RULES, STANDARD_DOMAINS
from cpunet.onnx_reader.protobuf import LENGTH_DELIMITED, Field, ProtobufError, Reader, many, one
from cpunet.onnx_reader.structure import Declared, GraphInNodeError, Network, Node, read_network, shown
from cpunet.onnx_reader.tensor import BITS, FLOAT, FLOAT16, TYPE_NAMES, Tensor

# A U-Net has some hundred nodes and ten thousand fields; these are read in about a second.
MOST_NODES, MOST_FIELDS, MOST_TEXT_BYTES = 20_000, 500_000, 32 * 2**20
LARGEST_RANK = 8
# (N, C, Y, X), or (N, C, Z, Y, X).
IMAGE_AXES, VOLUME_AXES = 4, 5
LARGEST_WEIGHTS_BYTES = 2**31 - 1
LARGEST_SIDE = 16_384
# Where nothing says which sizes a network takes, its needs are computed for a square of so many pixels, and so many
# planes if it takes volumes.
USUAL_SIDE, USUAL_PLANES = 256, 16
AGAIN = (
    "Export the network again with one image in, and one plane for each kind of probability out; or the boxes, scores "
    "and masks of objects."
)
# With this metadata, a file chooses onnxruntime's options, such as a file to write a profile to.
SESSION_OPTIONS_KEY = "ort_config"


def check_onnx(
    file: ModelFile, channels: Optional[int] = None, side: int = USUAL_SIDE, planes: int = USUAL_PLANES
) -> Network:
    """Raise ModelError if a model file that was read is not safe to open, and return its network.

    Parameters
    ----------
    file : ModelFile
    channels : int, optional
        Of the image, if they are known.
    side : int
        Height and width, pixels, for which memory and work are computed; fixed sizes of the file take precedence.
    planes : int
        Depth, of a network that takes volumes.

    Raises
    ------
    ModelError
        If the file is malformed or too large, keeps weights in another file, declares more than it holds, has an
        operator or attribute that segmentation networks do not need, or needs too much memory or work for such an
        image; says what was found, and the way out.

    Notes
    -----
    Reads what the file declares and none of its weights: some milliseconds for a U-Net. `check_needs` is asked again
    for each size of tile.
    """
    network = listed_network(file)
    try:
        check_needs(network, usual_shape(network, channels, side, planes))
    except ModelError as error:
        error.args = (f"{file.path}: {error}",)  # keeps its kind, and the shape of one that lacks memory
        raise
    return network


def listed_network(file: ModelFile) -> Network:
    """Return the network of a file, after all that `check_onnx` does but the memory and work for an image."""
    try:
        return _network(file.stream())
    except ModelError as error:
        raise ModelError(f"{file.path}: {error}") from None


def check_stream(stream: BinaryIO) -> None:
    """Raise ModelError if a model is not safe to open; the beginning of `stream` is that of the file."""
    network = _network(stream)
    check_needs(network, usual_shape(network, None, USUAL_SIDE))


def _network(stream: BinaryIO) -> Network:
    network = check_contents(stream)
    _check_inputs_and_outputs(network)
    return network


def check_contents(stream: BinaryIO) -> Network:
    """Raise ModelError if a model is not safe to parse or brings code along; its input and output may be any."""
    size = stream.seek(0, 2)
    check_size(size)
    reader = Reader(stream, MOST_FIELDS, MOST_TEXT_BYTES)
    try:
        network = read_network(reader, checked_graph(reader, size))
    except GraphInNodeError as error:
        raise ModelError(
            f"the network has the operator {shown(str(error))}, which holds a network of its own to run on a condition "
            f"or again and again; it is not run. Export the network without conditions and loops. {WAY_OUT}"
        ) from None
    except ProtobufError as error:
        raise ModelError(
            f"this is no sound ONNX model of an image network ({size} bytes): {error}. Copy or download it again, or "
            "export it again."
        ) from None
    _check_nodes(network.nodes)
    _check_weights(network)
    return network


def usual_shape(network: Network, channels: Optional[int], side: int, planes: int = USUAL_PLANES) -> Tuple[int, ...]:
    """Return the shape of an image (N, C, Y, X), or of a volume (N, C, Z, Y, X), that a network takes.

    What the network declares counts, and otherwise what is given.
    """
    weights = {tensor.name: tensor.dims for tensor in network.tensors}
    (image,) = [value for value in network.inputs if value.name not in weights]
    first: Tuple[int, ...] = ()
    for node in network.nodes:
        dims = weights.get(node.inputs[1] if len(node.inputs) > 1 else "", ())
        if node.operator == "Conv" and node.inputs[0] == image.name and len(dims) > 1:
            first = dims
            break
    if channels is None:
        channels = first[1] if first else 1
    declared = image.dims or (None,) * (VOLUME_AXES if len(first) == VOLUME_AXES else IMAGE_AXES)
    usual = (1, channels, *([planes] if len(declared) == VOLUME_AXES else []), side, side)
    shape = (size if size is not None and size > 0 else free for size, free in zip(declared, usual))
    return tuple(shape)


def checked_graph(reader: Reader, size: int) -> Field:
    """Return where the graph of a model lies; ModelError if the model brings functions, training or options along."""
    model = reader.message(0, size)
    graph = one(model, 7, LENGTH_DELIMITED)
    if graph is None:
        raise ProtobufError("it holds no network")
    if 25 in model:
        raise ModelError(
            f"the model defines {len(model[25])} operators of its own (ONNX functions), and only standard ones are "
            "run. Replace them by what they consist of with onnx.inliner.inline_local_functions, then save it again."
        )
    if 20 in model:
        raise ModelError("the model carries a training procedure. Export it again for inference alone.")
    for entry in many(model, 14):
        key = reader.text(one(reader.message(entry.start, entry.stop), 1, LENGTH_DELIMITED))
        if key == SESSION_OPTIONS_KEY:
            raise ModelError(
                f"the model's metadata holds options for onnxruntime ({SESSION_OPTIONS_KEY!r}), which a file must not "
                "choose. Remove that entry, or export the model again."
            )
    return graph


def _check_nodes(nodes: List[Node]) -> None:
    if len(nodes) > MOST_NODES:
        raise ModelError(
            f"the network has {len(nodes)} nodes; {MOST_NODES} at most are opened, and a U-Net has some hundred. "
            "Check that this is the right file, or simplify the network."
        )
    for node in nodes:
        rule = RULES.get((node.domain, node.operator))
        if rule is None:
            kind = "of ONNX" if node.domain in STANDARD_DOMAINS else f"of {shown(node.domain)}, a custom operator"
            raise ModelError(
                f"the network's node {shown(node.name)} has the operator {shown(node.operator)} {kind}; it is not "
                f"among those that segmentation networks need, and no other is run. {WAY_OUT}"
            )
        unknown = sorted(node.attributes.keys() - rule.attributes)
        if unknown:
            raise ModelError(
                f"the network's node {shown(node.name)} with the operator {shown(node.operator)} has the attribute "
                f"{shown(unknown[0])}, which is not among those that are known. {WAY_OUT}"
            )


def _check_weights(network: Network) -> None:
    total = 0
    constants = [value for node in network.nodes for value in node.attributes.values() if isinstance(value, Tensor)]
    for tensor in [*network.tensors, *constants]:
        total += _checked_bytes(tensor)
    if total > LARGEST_WEIGHTS_BYTES:
        raise ModelError(
            f"the model's weights would take {total} bytes of memory, and {LARGEST_WEIGHTS_BYTES} at most are loaded. "
            "Choose a smaller network."
        )


def _checked_bytes(tensor: Tensor) -> int:
    """Return the memory that a tensor takes, after checking that the file holds it."""
    name = f"the tensor {shown(tensor.name)}"
    if tensor.elsewhere is not None:
        raise ModelError(
            f"{name} is kept in another file ({shown(tensor.elsewhere)}), and a model must be one file: no other is "
            "read, wherever it lies. Put all into one with onnx.save_model(onnx.load('model.onnx'), 'one_file.onnx')."
        )
    if tensor.data_type not in BITS:
        raise ModelError(
            f"{name} holds values of the type {tensor.data_type}, which no image network needs: numbers alone are "
            "read. Export the model again."
        )
    if len(tensor.dims) > LARGEST_RANK or not all(0 <= size < 2**63 for size in tensor.dims):
        raise ModelError(
            f"{name} declares the shape {tensor.dims}; {LARGEST_RANK} dimensions at most, of 0 or more, can be. "
            "Copy or download the file again."
        )
    elements = math.prod(tensor.dims)
    needed = -(-elements * tensor.bits_each // 8)
    if needed > tensor.stored_bytes or (tensor.exact and needed != tensor.stored_bytes):
        raise ModelError(
            f"{name} declares the shape {tensor.dims}, {needed} bytes, and the file holds {tensor.stored_bytes} for "
            "it. Copy or download the file again, or export the model again."
        )
    return -(-elements * BITS[tensor.data_type] // 8)


def _check_inputs_and_outputs(network: Network) -> None:
    """Check the declared inputs and outputs."""
    weights = {tensor.name for tensor in network.tensors}
    inputs = [value for value in network.inputs if value.name not in weights]
    if len(inputs) != 1 or not network.outputs:
        raise ModelError(
            f"the network has {len(inputs)} inputs and {len(network.outputs)} outputs; one of each is needed. "
            "Export it with an image as its only input."
        )
    objects = {value.name for value in network.outputs} == set(OUTPUTS)
    axes = (IMAGE_AXES,) if objects else (IMAGE_AXES, VOLUME_AXES)
    _check_value("input", inputs[0], *axes)
    declared = inputs[0].dims
    for value in network.outputs:
        _check_value("output", value, *((OUTPUTS[value.name],) if objects else axes))
        if not objects and declared is not None and value.dims is not None and len(declared) != len(value.dims):
            raise ModelError(
                f"the network's input {shown(inputs[0].name)} has {len(declared)} dimensions and its output "
                f"{shown(value.name)} has {len(value.dims)}; both must be the same. {AGAIN}"
            )


def _check_value(what: str, value: Declared, *axes: int) -> None:
    """Refuse a declared tensor that is none of float, or has another number of axes than one of `axes`."""
    name = f"the network's {what} {shown(value.name)}"
    of_image = IMAGE_AXES in axes
    if value.data_type not in (FLOAT, FLOAT16):
        kind = TYPE_NAMES.get(value.data_type or 0, "an unusual type")
        found = "no tensor" if value.data_type is None else f"a tensor of {kind}"
        needed = "(N, C, Y, X)" if of_image else f"of {axes[0]} axes"
        raise ModelError(f"{name} is {found}; a float32 tensor {needed} is needed. {AGAIN}")
    if value.dims is not None and len(value.dims) not in axes:
        needed = "four (N, C, Y, X)" if of_image else str(axes[0])
        of_volume = ", or five (N, C, Z, Y, X)," if VOLUME_AXES in axes else ""
        raise ModelError(f"{name} has {len(value.dims)} dimensions; {needed}{of_volume} are needed. {AGAIN}")
    for size in value.dims or ():
        if size is not None and not -1 <= size <= LARGEST_SIDE:  # some exporters write -1 for a free size
            raise ModelError(f"{name} declares a size of {size}; the limit is {LARGEST_SIDE}. {AGAIN}")
