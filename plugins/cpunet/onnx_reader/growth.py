"""Refuse steps of a network that make much out of little, where the file says how much."""

from __future__ import annotations

import math
from typing import Dict, List, NamedTuple, Optional

from cpunet.errors import ModelError
from cpunet.onnx_reader.structure import Network, Node, shown
from cpunet.onnx_reader.tensor import Numbers


class Bound(NamedTuple):
    """The largest value of each number, and of their product."""

    each: float
    product: float


# 2**28 float32 values take 1 GiB. A U-Net enlarges by 2 at a time, by 32 in all, with windows of up to 7 pixels.
SIZES = Bound(2**28, 2**28)
FACTORS = Bound(64, 4096)
WINDOW = Bound(1024, math.inf)

# Operators of ONNX that enlarge, and the inputs that say by how much.
ENLARGING: Dict[str, Dict[int, Bound]] = {
    "AffineGrid": {1: SIZES},
    "BlackmanWindow": {0: SIZES},
    "CenterCropPad": {1: SIZES},
    "Col2Im": {0: SIZES},
    "ConstantOfShape": {0: SIZES},
    "DFT": {1: SIZES},
    "Expand": {1: SIZES},
    "HammingWindow": {0: SIZES},
    "HannWindow": {0: SIZES},
    "MaxUnpool": {2: SIZES},
    "OneHot": {1: SIZES},
    "Pad": {1: WINDOW},
    "Range": {0: SIZES, 1: SIZES},
    "Resize": {1: FACTORS, 2: FACTORS, 3: SIZES},
    "Tile": {1: FACTORS},
    "Upsample": {1: FACTORS},
}
ATTRIBUTES: Dict[str, Bound] = {
    "dilations": WINDOW,
    "height_scale": FACTORS,
    "kernel_shape": WINDOW,
    "output_padding": WINDOW,
    "output_shape": SIZES,
    "pads": WINDOW,
    "paddings": WINDOW,
    "scales": FACTORS,
    "shape": SIZES,
    "strides": FACTORS,
    "width_scale": FACTORS,
}


def check_growth(network: Network) -> None:
    """Raise ModelError if a step enlarges by a huge size or factor that the file holds.

    Sizes that the network computes while it runs are not known here.
    """
    known = _constants(network)
    for node in network.nodes:
        for attribute, bound in ATTRIBUTES.items():
            if attribute in node.numbers:
                _check(node, f"attribute {attribute}", node.numbers[attribute], bound)
        for position, bound in ENLARGING.get(node.operator, {}).items():
            name = node.inputs[position] if position < len(node.inputs) else ""
            for numbers in known.get(name, []) if name else []:
                _check(node, f"input {position}", numbers, bound)


def _constants(network: Network) -> Dict[str, List[Optional[Numbers]]]:
    """Return the values in the file, by the name under which nodes use them; None for a long list."""
    known: Dict[str, List[Optional[Numbers]]] = {}
    for tensor in network.tensors:
        known.setdefault(tensor.name, []).append(tensor.values)
    for node in network.nodes:
        if node.operator == "Constant" and node.outputs:
            values = known.setdefault(node.outputs[0], [])
            values.extend(tensor.values for tensor in node.tensors)
            values.extend(numbers for name, numbers in node.numbers.items() if name.startswith("value_"))
    return known


def _check(node: Node, what: str, numbers: Optional[Numbers], bound: Bound) -> None:
    if numbers is None:
        found = "a list that is too long, or of an unusual type"
    elif not all(abs(number) <= bound.each for number in numbers):  # also refuses NaN
        found = f"{list(numbers)}, and the limit is {bound.each}"
    elif math.prod(max(1, abs(number)) for number in numbers) > bound.product:
        found = f"{list(numbers)}, and the limit of their product is {bound.product}"
    else:
        return
    raise ModelError(
        f"the network's node {shown(node.name)} has as the {what} of its operator {shown(node.operator)} {found}, so "
        "that one image cannot fill the memory. Check that this is the right file, or export the model again."
    )
