"""The sizes that are computed before a network runs are those that onnxruntime computes, and bound what it needs."""

import io
import struct

import numpy as np
import pytest

from cpunet.errors import ModelError, OutOfMemoryError
from cpunet.model.session import import_onnxruntime
from cpunet.onnx_reader.bounds import MOST_BYTES, check_needs, follow
from cpunet.onnx_reader.safety import _network
from tests.tiny_onnx import attribute, field, node, onnx_of, raw_tensor, tensor, tensor_attribute, value_info

INT64, INT32 = 7, 6
SHAPE = (1, 4, 16, 24)


def ints(name, values, dims=None):
    dims = [len(values)] if dims is None else dims
    return raw_tensor(name, INT64, dims, struct.pack(f"<{len(values)}q", *values))


def floats(name, values):
    return tensor(name, [len(values)], values)


def weights(name, *dims):
    return tensor(name, dims, [0.5] * int(np.prod(dims)))


def real(name, value):
    return field(5, field(1, name) + bytes([2 << 3 | 5]) + struct.pack("<f", value) + field(20, 1))


def made(nodes, tensors=(), gives="y"):
    """The bytes of a network whose input is called x."""
    graph = b"".join([*[field(1, each) for each in nodes], field(2, "g"), *[field(5, each) for each in tensors]])
    free = field(1, gives) + field(2, field(1, field(1, 1)))
    return onnx_of(graph + field(11, value_info("x", SHAPE[1], None)) + field(12, free))


def network_of(*given, **more):
    return _network(io.BytesIO(made(*given, **more)))


def one(operator, inputs=("x",), *attributes):
    return node(operator, list(inputs), ["y"]) + b"".join(attributes)


ROWS = node("Shape", ["x"], ["s"]) + attribute("start", 2)
CASES = {
    "convolution": (
        [one("Conv", ["x", "w"], attribute("strides", [2, 2]), attribute("pads", [1, 0, 1, 2]))],
        [weights("w", 8, 4, 3, 3)],
    ),
    "in groups, dilated": (
        [one("Conv", ["x", "w"], attribute("group", 4), attribute("dilations", [2, 3]))],
        [weights("w", 8, 1, 3, 3)],
    ),
    "as large as before": (
        [one("Conv", ["x", "w"], attribute("auto_pad", "SAME_UPPER"), attribute("strides", [3, 2]))],
        [weights("w", 2, 4, 5, 5)],
    ),
    "backward": (
        [
            one(
                "ConvTranspose",
                ["x", "w"],
                attribute("strides", [2, 2]),
                attribute("output_padding", [1, 1]),
                attribute("pads", [1, 1, 1, 1]),
            )
        ],
        [weights("w", 4, 3, 3, 3)],
    ),
    "largest, rounded up": (
        [
            one(
                "MaxPool",
                ["x"],
                attribute("kernel_shape", [3, 3]),
                attribute("strides", [2, 3]),
                attribute("ceil_mode", 1),
            )
        ],
        [],
    ),
    "mean": ([one("AveragePool", ["x"], attribute("kernel_shape", [2, 3]), attribute("pads", [1, 1, 0, 0]))], []),
    "enlarged": ([one("Resize", ["x", "", "by"], attribute("mode", "linear"))], [floats("by", [1.0, 1.0, 2.0, 1.7])]),
    "to a size": (
        [
            node("Shape", ["x"], ["s"]),
            node("Slice", ["s", "zero", "two"], ["front"]),
            node("Concat", ["front", "rows"], ["size"]) + attribute("axis", 0),
            one("Resize", ["x", "", "", "size"]),
        ],
        [ints("zero", [0]), ints("two", [2]), ints("rows", [33, 7])],
    ),
    "mirrored": ([one("Pad", ["x", "by"], attribute("mode", "reflect"))], [ints("by", [0, 0, 3, 4, 0, 0, 5, 6])]),
    "cut": (
        [one("Slice", ["x", "from", "to", "axes", "by"])],
        [ints("from", [-3, 1000]), ints("to", [2**63 - 1, -(2**63)]), ints("axes", [2, 3]), ints("by", [1, -5])],
    ),
    "half of itself": (
        [
            ROWS,
            node("Div", ["s", "two"], ["half"]),
            node("Concat", ["keep", "half", "rest"], ["to"]) + attribute("axis", 0),
            one("Reshape", ["x", "to"]),
        ],
        [ints("two", [2]), ints("keep", [0, 0]), ints("rest", [2, 2])],
    ),
    "joined": (
        [
            node("Transpose", ["x"], ["t"]) + attribute("perm", [0, 1, 3, 2]),
            node("Transpose", ["t"], ["u"]) + attribute("perm", [0, 1, 3, 2]),
            one("Concat", ["x", "u"], attribute("axis", -3)),
        ],
        [],
    ),
    "pixels of channels": ([one("DepthToSpace", ["x"], attribute("blocksize", 2))], []),
    "channels of pixels": ([one("SpaceToDepth", ["x"], attribute("blocksize", 4))], []),
    "sums": ([one("ReduceMean", ["x"], attribute("axes", [1, -1]), attribute("keepdims", 0))], []),
    "matrices": ([one("MatMul", ["x", "w"])], [weights("w", 24, 5)]),
    "one for all": ([one("Add", ["x", "w"])], [weights("w", 4, 1, 1)]),
    "repeated": ([one("Tile", ["x", "by"])], [ints("by", [1, 1, 2, 3])]),
    "expanded": (
        [
            node("ReduceMax", ["x"], ["m"]) + attribute("axes", [2, 3]),
            node("Shape", ["x"], ["s"]),
            one("Expand", ["m", "s"]),
        ],
        [],
    ),
    "axes added and dropped": (
        [node("Unsqueeze", ["x", "at"], ["u"]), one("Squeeze", ["u", "at"])],
        [ints("at", [0, 3])],
    ),
    "flat": ([one("Flatten", ["x"], attribute("axis", 2))], []),
    "chosen": ([one("Gather", ["x", "which"], attribute("axis", 1))], [ints("which", [3, -1, 0])]),
    "of a part": ([node("Split", ["x", "parts"], ["a", "y"]) + attribute("axis", 1)], [ints("parts", [1, 3])]),
    "normalized": ([one("InstanceNormalization", ["x", "c", "c"])], [weights("c", 4)]),
    "a choice": ([node("Greater", ["x", "zero"], ["b"]), one("Where", ["b", "x", "zero"])], [floats("zero", [0.0])]),
    "limited": ([one("Clip", ["x", "low", ""])], [tensor("low", [], [0.0])]),
    "filled": (
        [
            node("Shape", ["x"], ["s"]),
            node("ConstantOfShape", ["s"], ["f"]) + tensor_attribute("value", floats("", [2.0])),
            one("Mul", ["x", "f"]),
        ],
        [],
    ),
    "nodes in any order, as converters to float16 write them": (
        [node("Relu", ["b"], ["y"]), node("Add", ["a", "x"], ["b"]), node("Neg", ["x"], ["a"])],
        [],
    ),
    "one mean spread over the image": (
        [
            node("Shape", ["x"], ["s"]),
            node("GlobalAveragePool", ["x"], ["m"]),
            one("Resize", ["m", "", "", "to"], attribute("mode", "linear")),
        ],
        [ints("to", [1, 4, 200, 300])],
    ),
    "8 bits by the scale of each image": (
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "o"]),
            node("ConvInteger", ["q", "w", "o"], ["i"]) + attribute("pads", [1, 0, 1, 0]),
            one("Cast", ["i"], attribute("to", 1)),
        ],
        [raw_tensor("w", 2, [8, 4, 3, 3], b"1" * 288)],
    ),
    "8-bit product": (
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "o"]),
            node("MatMulInteger", ["q", "w", "o"], ["i"]),
            one("Cast", ["i"], attribute("to", 1)),
        ],
        [raw_tensor("w", 2, [24, 5], b"1" * 120)],
    ),
    "place of the largest": (
        [
            node("ArgMax", ["x"], ["i"]) + attribute("axis", 1) + attribute("keepdims", 0),
            one("Cast", ["i"], attribute("to", 1)),
        ],
        [],
    ),
    "counted": (
        [
            ROWS,
            node("ReduceProd", ["s"], ["n"]) + attribute("keepdims", 0),
            node("Range", ["zero", "n", "one"], ["r"]),
            node("Cast", ["r"], ["y"]) + attribute("to", 1),
        ],
        [ints("zero", [0], []), ints("one", [1], [])],
    ),
}


@pytest.mark.parametrize(("nodes", "tensors"), CASES.values(), ids=CASES)
def test_sizes_are_those_of_onnxruntime(nodes, tensors):
    followed = follow(network_of(nodes, tensors), SHAPE)
    run = import_onnxruntime().InferenceSession(made(nodes, tensors), providers=["CPUExecutionProvider"])
    (found,) = run.run(None, {"x": np.random.default_rng(0).random(SHAPE).astype(np.float32)})
    assert followed.values["y"].shape == found.shape


def test_memory_and_work_of_a_convolution_are_what_arithmetic_says():
    needs = follow(network_of([one("Conv", ["x", "w"])], [weights("w", 8, 4, 1, 1)]), (2, 4, 10, 10)).needs
    assert needs.work == 2 * 8 * 100 * 4
    assert needs.bytes == 4 * (2 * 4 * 100 + 2 * 8 * 100) + 4 * 4 * 100  # in, out and the window's buffer
    assert (needs.fixed_bytes, needs.fixed_work) == (0, 0)


def test_values_that_are_no_longer_needed_take_no_memory():
    names = ["x", *[f"v{index}" for index in range(50)], "y"]
    relus = [node("Relu", [given], [result]) for given, result in zip(names, names[1:])]
    value = 4 * int(np.prod(SHAPE))
    assert follow(network_of(relus), SHAPE).needs.bytes == 2 * value
    kept = [*relus[:-1], node("Sum", names[:-1], ["y"])]
    assert follow(network_of(kept), SHAPE).needs.bytes == 52 * value


def fill(*size):
    return node("ConstantOfShape", ["size"], ["f"]), ints("size", list(size))


FILL, SIZE = fill(4000, 4000)
REFUSED = {
    "group of none": ([one("Conv", ["x", "w"], attribute("group", 0))], [weights("w", 8, 4, 3, 3)], "its 0 groups"),
    "groups that do not fit": (
        [one("Conv", ["x", "w"], attribute("group", 2))],
        [weights("w", 8, 4, 3, 3)],
        "2 groups .* do not fit 4",
    ),
    "weights of other channels": ([one("Conv", ["x", "w"])], [weights("w", 8, 3, 3, 3)], "do not fit 4 channels"),
    "stride of none": (
        [one("Conv", ["x", "w"], attribute("strides", [0, 1]))],
        [weights("w", 8, 4, 3, 3)],
        "strides holds 0",
    ),
    "backward with a group of none": (
        [one("ConvTranspose", ["x", "w"], attribute("group", 0))],
        [weights("w", 4, 8, 3, 3)],
        "its 0 groups",
    ),
    "huge window": ([one("MaxPool", ["x"], attribute("kernel_shape", [1000, 1000]))], [], "kernel_shape holds 1000"),
    "window beyond the image": (
        [one("MaxPool", ["x"], attribute("kernel_shape", [40, 4]))],
        [],
        "larger than its input",
    ),
    "mirrored by less than nothing": (
        [one("Pad", ["x", "by"], attribute("mode", "reflect"))],
        [ints("by", [0, 0, -1, 0, 0, 0, 0, 0])],
        "pads 16 pixels by -1",
    ),
    "mirrored by more than there is": (
        [one("Pad", ["x", "by"], attribute("mode", "reflect"))],
        [ints("by", [0, 0, 16, 0, 0, 0, 0, 0])],
        "by 16;",
    ),
    "continued from the other side by more than there is": (
        [one("Pad", ["x", "by"], attribute("mode", "wrap"))],
        [ints("by", [0, 0, 17, 0, 0, 0, 0, 0])],
        "by 17;",
    ),
    "whole numbers divided by none": (
        [ROWS, node("Div", ["s", "zero"], ["d"]), one("Relu")],
        [ints("zero", [0])],
        "by 0, which would end",
    ),
    "rest of whole numbers of pixels": (
        [node("Cast", ["x"], ["i"]) + attribute("to", INT32), one("Mod", ["i", "i"])],
        [],
        "not known before it runs",
    ),
    "size of pixels": (
        [node("Cast", ["x"], ["i"]) + attribute("to", INT64), one("Reshape", ["x", "i"])],
        [],
        "computed from the pixels",
    ),
    "scale of nothing": ([one("Resize", ["x", "", "by"])], [floats("by", [1.0, 1.0, 0.0, 1.0])], "its scales are"),
    "scale that is no number": (
        [one("Resize", ["x", "", "by"])],
        [floats("by", [1.0, 1.0, float("nan"), 1.0])],
        "its scales are",
    ),
    "counting in steps of nothing": (
        [node("Range", ["zero", "ten", "zero"], ["r"]), one("Relu")],
        [ints("zero", [0], []), ints("ten", [10], [])],
        "its numbers",
    ),
    "groups to normalize that do not fit": (
        [one("GroupNormalization", ["x", "c", "c"], attribute("num_groups", 0))],
        [weights("c", 4)],
        "0 groups",
    ),
    "norms of other channels": (
        [one("InstanceNormalization", ["x", "c", "c"])],
        [weights("c", 3)],
        r"shape \[3\], not \[4\]",
    ),
    "training": (
        [one("BatchNormalization", ["x", "c", "c", "c", "c"], attribute("training_mode", 1))],
        [weights("c", 4)],
        "in training mode",
    ),
    "shapes that do not fit": ([one("Add", ["x", "w"])], [weights("w", 5, 1, 1)], "do not fit"),
    "entry beyond the last": ([one("Gather", ["x", "at"], attribute("axis", 1))], [ints("at", [4])], "chooses from 4"),
    "blocks that do not fit": ([one("DepthToSpace", ["x"], attribute("blocksize", 3))], [], "divided by 9"),
    "mode that is not known": (
        [one("Resize", ["x", "", "by"], attribute("mode", "wild"))],
        [floats("by", [1.0] * 4)],
        "mode is 'wild'",
    ),
    "name that nothing makes": ([node("Relu", ["z"], ["y"])], [], "before anything"),
    "circle": ([node("Add", ["x", "z"], ["y"]), node("Relu", ["y"], ["z"])], [], "before anything"),
    "node that uses its own result": ([one("Add", ["x", "y"])], [], "before anything"),
    "8-bit convolution of other channels": (
        [node("DynamicQuantizeLinear", ["x"], ["q", "s", "o"]), one("ConvInteger", ["q", "w", "o"])],
        [raw_tensor("w", 2, [8, 3, 1, 1], b"1" * 24)],
        "do not fit 4 channels",
    ),
    "8-bit product with zeros of other columns": (
        [node("DynamicQuantizeLinear", ["x"], ["q", "s", "o"]), one("MatMulInteger", ["q", "w", "o", "z"])],
        [raw_tensor("w", 2, [24, 5], b"1" * 120), raw_tensor("z", 2, [4], b"1" * 4)],
        r"shape \[4\], not",
    ),
    "place along no axis": ([one("ArgMax", ["x"], attribute("axis", 4))], [], "the axis 4 of 4"),
    "side of a slide": (
        [one("Resize", ["x", "", "", "to"])],
        [ints("to", [1, 4, 16_385, 24])],
        "makes 16385 of 16 pixels",
    ),
    "two values of one name": ([one("Relu"), one("Relu")], [], "two values of the name 'y'"),
    "output of nothing": ([node("Relu", ["x"], ["z"])], [], "output 'y' is computed nowhere"),
    "number as text": ([one("LeakyRelu", ["x"], attribute("pads", [1]))], [], "attribute 'pads'"),
    "huge constant": ([fill(40_000, 40_000)[0], one("Relu")], [fill(40_000, 40_000)[1]], "opening the network alone"),
    "constants that multiply": (
        [FILL, node("MatMul", ["f", "f"], ["g"]), node("MatMul", ["g", "f"], ["h"]), one("Relu")],
        [SIZE],
        "opening the network alone",
    ),
    "endless repetition": (
        [one("Tile", ["x", "by"])],
        [ints("by", [1, 1, 10**6, 10**6])],
        "bytes for its interm|operations",
    ),
}


@pytest.mark.parametrize(("nodes", "tensors", "message"), REFUSED.values(), ids=REFUSED)
def test_a_step_that_could_do_harm_is_refused_with_the_way_out(nodes, tensors, message):
    with pytest.raises(ModelError, match=message) as caught:
        check_needs(network_of(nodes, tensors), SHAPE)
    assert str(caught.value).rstrip().endswith((".", ")"))
    assert "xport the network" in str(caught.value) or "smaller" in str(caught.value)


def test_a_value_that_is_joined_with_itself_again_and_again_is_bounded():
    names = ["x", *[f"v{index}" for index in range(13)], "y"]
    doubled = [
        node("Concat", [given, given], [result]) + attribute("axis", 1) for given, result in zip(names, names[1:])
    ]
    with pytest.raises(OutOfMemoryError, match="for its intermediate values") as caught:
        check_needs(network_of(doubled), (1, 4, 256, 256))
    assert caught.value.shape == (1, 4, 256, 256)
    check_needs(network_of(doubled), (1, 4, 8, 8))  # a smaller tile fits


def test_a_deep_chain_of_slow_steps_is_bounded():
    names = ["x", *[f"v{index}" for index in range(12)], "y"]
    slow = [
        node("Conv", [given, "w"], [result]) + attribute("pads", [31, 31, 32, 32])
        for given, result in zip(names, names[1:])
    ]
    with pytest.raises(ModelError, match=r"operations; .* is the limit"):
        check_needs(network_of(slow, [weights("w", 4, 4, 64, 64)]), (1, 4, 1024, 1024))


def test_a_modest_network_takes_any_tile_that_a_user_asks_for():
    network = network_of([one("Relu")])
    assert check_needs(network, (16, 4, 4096, 4096)).bytes > MOST_BYTES
