"""What a network must do for an image at least: multiply-accumulates, and bytes that are moved."""

from pathlib import Path
from typing import Dict, NamedTuple, Tuple

from cpunet.onnx_reader.bounds import follow
from cpunet.onnx_reader.metadata import read_card
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.onnx_reader.operators.step import Value
from cpunet.onnx_reader.safety import listed_network
from cpunet.onnx_reader.structure import Node

CONVOLUTIONS = ("Conv", "ConvTranspose")
FLOAT32_BYTES, INT8_BYTES = 4, 1


class Cost(NamedTuple):
    """What the convolutions of a network do for an input.

    Attributes
    ----------
    number_type : str
        ``int8`` if most of the work is done on quantized values, otherwise ``float32``.
    macs : int
        Multiply-accumulates.
    bytes : int
        Each convolution reads its input and its weights once and writes its output once; all other operators could do
        their work on the way.
    """

    number_type: str
    macs: int
    bytes: int


def cost_of(path: Path, shape: Tuple[int, int]) -> Cost:
    """Count what the network of a file does for an image (Y, X), mirrored to a size that the network takes."""
    given = read_card(path).input
    sides = [-(-max(side, given.min_size) // given.divisible_by) * given.divisible_by for side in shape]
    network = listed_network(read_model_file(path))
    values = follow(network, (1, len(given.channels), sides[0], sides[1])).values
    makers = {name: node for node in network.nodes for name in node.outputs}
    macs, moved, of_type = 0, 0, {FLOAT32_BYTES: 0, INT8_BYTES: 0}
    for node in network.nodes:
        if node.operator not in CONVOLUTIONS:
            continue
        work = _macs(node, values)
        width = _bytes_of_a_number(node, makers)
        of_type[width] += work
        macs += work
        moved += width * sum(values[name].elements for name in (*node.inputs[:2], node.outputs[0]))
    return Cost("int8" if of_type[INT8_BYTES] > of_type[FLOAT32_BYTES] else "float32", macs, moved)


def _macs(node: Node, values: Dict[str, Value]) -> int:
    image, weights, result = (values[name] for name in (*node.inputs[:2], node.outputs[0]))
    # A convolution computes each output from the weights of its channel; a transposed one spreads each input by them.
    per_value = weights.elements // weights.shape[0]
    spread = node.operator == "ConvTranspose"
    return int(per_value * (image if spread else result).elements)


def _bytes_of_a_number(node: Node, makers: Dict[str, Node]) -> int:
    maker = makers.get(node.inputs[0])
    return INT8_BYTES if maker is not None and maker.operator == "DequantizeLinear" else FLOAT32_BYTES
