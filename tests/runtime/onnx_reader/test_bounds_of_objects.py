"""Where sizes depend on the pixels, those that are computed before a network runs are never exceeded."""

import io

import numpy as np
import pytest

from cpunet.errors import ModelError
from cpunet.model.session import import_onnxruntime
from cpunet.onnx_reader.bounds import check_needs, follow
from cpunet.onnx_reader.safety import _network
from tests.tiny_instances import declared, instances_onnx, ints
from tests.tiny_onnx import FLOAT, attribute, field, node, onnx_of, tensor, tensor_attribute

SHAPE = (1, 2, 12, 10)
INT64 = 7
# The places of the bright pixels: (4, n), and n of them as (n, 4).
BRIGHT = [
    node("Greater", ["x", "half"], ["bright"]),
    node("NonZero", ["bright"], ["columns"]),
    node("Transpose", ["columns"], ["places"]) + attribute("perm", [1, 0]),
    node("Cast", ["places"], ["rows"]) + attribute("to", FLOAT),
    node("Shape", ["rows"], ["size"]),
    node("Gather", ["size", "first"], ["n"]) + attribute("axis", 0),
]
TENSORS = [
    tensor("half", [], [0.5]),
    ints("first", [0]),
    ints("one", [1]),
    ints("two", [2]),
    ints("three", [3]),
    ints("five", [5]),
    ints("minus_one", [-1]),
    ints("minus_three", [-3]),
    ints("far", [2**62]),
    ints("zero_number", [0], []),
    ints("one_number", [1], []),
    tensor("w", [4, 3], [0.5] * 12),
    tensor("bias", [3], [0.5] * 3),
    tensor("kernel", [2, 1, 1, 1], [0.5, 1.0]),
]


def made(nodes, tensors=(), gives="y", kind=FLOAT):
    graph = b"".join([field(1, each) for each in nodes] + [field(2, "g")] + [field(5, each) for each in tensors])
    output = field(1, gives) + field(2, field(1, field(1, kind)))
    return onnx_of(graph + field(11, declared("x", SHAPE)) + field(12, output), card=None)


def network_of(nodes, tensors=TENSORS):
    return _network(io.BytesIO(made(nodes, tensors)))


def as_float(name):
    return node("Cast", [name], ["y"]) + attribute("to", FLOAT)


CASES = {
    "rows": [node("Relu", ["rows"], ["y"])],
    "rows added to rows": [node("Add", ["rows", "rows"], ["y"])],
    "compared and chosen": [
        node("Greater", ["rows", "half"], ["b"]),
        node("Where", ["b", "rows", "half"], ["y"]),
    ],
    "columns of rows": [node("Slice", ["rows", "one", "three", "one"], ["y"])],
    "the first five": [node("Slice", ["rows", "first", "five", "first"], ["y"])],
    "the last three": [node("Slice", ["rows", "minus_three", "far", "first"], ["y"])],
    "all but the last": [node("Slice", ["rows", "first", "minus_one", "first"], ["y"])],
    "as many as there are": [node("Slice", ["x", "first", "n", "two"], ["y"])],
    "every other one": [node("Slice", ["rows", "first", "far", "first", "two"], ["y"])],
    "flat": [node("Reshape", ["rows", "minus_one"], ["y"])],
    "two and two": [
        node("Concat", ["n", "minus_one", "two"], ["to"]) + attribute("axis", 0),
        node("Reshape", ["rows", "to"], ["y"]),
    ],
    "a row less known": [
        node("Concat", ["minus_one", "two", "two"], ["to"]) + attribute("axis", 0),
        node("Reshape", ["rows", "to"], ["y"]),
    ],
    "the first axis copied": [
        node("Concat", ["first", "two", "two"], ["to"]) + attribute("axis", 0),
        node("Reshape", ["rows", "to"], ["y"]),
    ],
    "flattened": [node("Flatten", ["rows"], ["y"])],
    "joined below": [node("Concat", ["rows", "rows"], ["y"]) + attribute("axis", 0)],
    "joined beside": [node("Concat", ["rows", "rows"], ["y"]) + attribute("axis", 1)],
    "an axis more and less": [node("Unsqueeze", ["rows", "first"], ["u"]), node("Squeeze", ["u", "first"], ["y"])],
    "turned": [node("Transpose", ["rows"], ["y"]) + attribute("perm", [1, 0])],
    "multiplied": [node("MatMul", ["rows", "w"], ["y"])],
    "multiplied and added": [node("Gemm", ["rows", "w", "bias"], ["y"])],
    "a sum a row": [node("ReduceMax", ["rows"], ["y"]) + attribute("axes", [1]) + attribute("keepdims", 0)],
    "a sum a column": [node("ReduceMean", ["rows"], ["y"]) + attribute("axes", [0])],
    "place of the largest": [node("ArgMax", ["rows"], ["i"]) + attribute("axis", 1), as_float("i")],
    "softly the largest": [node("Softmax", ["rows"], ["y"]) + attribute("axis", 1)],
    "as images": [
        node("Concat", ["minus_one", "one", "two", "two"], ["to"]) + attribute("axis", 0),
        node("Reshape", ["rows", "to"], ["i"]),
        node("Conv", ["i", "kernel"], ["y"]),
    ],
    "enlarged": [
        node("Concat", ["minus_one", "one", "two", "two"], ["to"]) + attribute("axis", 0),
        node("Reshape", ["rows", "to"], ["i"]),
        node("Shape", ["i"], ["of_i"]),
        node("Slice", ["of_i", "first", "two", "first"], ["front"]),
        node("Concat", ["front", "five", "five"], ["sizes"]) + attribute("axis", 0),
        node("Resize", ["i", "", "", "sizes"], ["y"]),
    ],
    "zeros": [node("ConstantOfShape", ["size"], ["y"])],
    "counted": [
        node("Squeeze", ["n", "first"], ["k"]),
        node("Range", ["zero_number", "k", "one_number"], ["r"]),
        as_float("r"),
    ],
    "repeated": [
        node("Slice", ["x", "first", "one", "three"], ["p"]),
        node("Reshape", ["p", "minus_one"], ["q"]),
        node("Unsqueeze", ["q", "first"], ["u"]),
        node("Concat", ["n", "one"], ["to"]) + attribute("axis", 0),
        node("Expand", ["u", "to"], ["y"]),
    ],
    "tiled": [
        node("Unsqueeze", ["half_list", "first"], ["u"]),
        node("Concat", ["n", "two"], ["to"]) + attribute("axis", 0),
        node("Tile", ["u", "to"], ["y"]),
    ],
    "a size more": [
        node("Add", ["n", "three"], ["more"]),
        node("ConstantOfShape", ["more"], ["y"]),
    ],
    "at most five": [node("Min", ["n", "five"], ["least"]), node("ConstantOfShape", ["least"], ["y"])],
    "five of them by size": [
        node("Reshape", ["x", "minus_one"], ["all"]),
        node("Min", ["n", "five"], ["k"]),
        node("TopK", ["all", "k"], ["y", "i"]),
    ],
    "chosen by what was found": [
        node("Reshape", ["x", "minus_one"], ["all"]),
        node("TopK", ["all", "five"], ["best", "i"]),
        node("Gather", ["all", "i"], ["y"]),
    ],
    "chosen by places": [node("GatherND", ["x", "places"], ["y"])],
    "chosen one by one": [
        node("Reshape", ["x", "minus_one"], ["all"]),
        node("TopK", ["all", "five"], ["best", "i"]),
        node("GatherElements", ["all", "i"], ["y"]) + attribute("axis", 0),
    ],
    "put back": [
        node("ReduceMax", ["rows"], ["values"]) + attribute("axes", [1]) + attribute("keepdims", 0),
        node("ScatterND", ["x", "places", "values"], ["y"]),
    ],
    "compressed": [
        node("Reshape", ["bright", "minus_one"], ["list"]),
        node("Reshape", ["x", "minus_one"], ["all"]),
        node("Compress", ["all", "list"], ["y"]) + attribute("axis", 0),
    ],
    "with the sizes that torch asks for": [
        node("ConstantOfShape", ["two"], ["ones"]) + tensor_attribute("value", ints("", [1])),
        node("Concat", ["n", "minus_one"], ["wanted"]) + attribute("axis", 0),
        node("Mul", ["ones", "minus_one"], ["unknown"]),
        node("Equal", ["wanted", "unknown"], ["is_unknown"]),
        node("Where", ["is_unknown", "ones", "wanted"], ["to"]),
        node("Unsqueeze", ["half_list", "first"], ["u"]),
        node("Expand", ["u", "to"], ["y"]),
    ],
}


@pytest.mark.parametrize("nodes", CASES.values(), ids=CASES)
def test_no_size_is_larger_than_the_bound(nodes):
    nodes, tensors = [*BRIGHT, *nodes], [*TENSORS, tensor("half_list", [1], [0.5])]
    value = follow(network_of(nodes, tensors), SHAPE).values["y"]
    run = import_onnxruntime().InferenceSession(made(nodes, tensors), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    largest = np.zeros(len(value.shape), int)
    for share in (1.0, 0.9, 0.3, 0.02):
        (found,) = run.run(None, {"x": np.where(rng.random(SHAPE) < share, 1, 0).astype(np.float32)})
        assert found.ndim == len(value.shape)
        assert (np.array(found.shape) <= value.shape).all()
        exact = [axis for axis in range(found.ndim) if not (value.varies or (0,) * found.ndim)[axis]]
        assert [found.shape[axis] for axis in exact] == [value.shape[axis] for axis in exact]
        largest = np.maximum(largest, found.shape)
    # The bound is reached where all pixels are bright; a size that is added to one is one of several that vary.
    assert (largest == value.shape).all()


REFUSED = {
    "less than a size": ([node("Sub", ["five", "n"], ["left"]), node("ConstantOfShape", ["left"], ["y"])], "computed"),
    "a size divided": ([node("Div", ["n", "two"], ["h"]), node("ConstantOfShape", ["h"], ["y"])], "division by 0"),
    "divided by a size of nothing": (
        [
            node("Reshape", ["x", "minus_one"], ["all"]),
            node("Concat", ["n", "minus_one"], ["to"]) + attribute("axis", 0),
            node("Reshape", ["all", "to"], ["y"]),
        ],
        "divides by a size",
    ),
    "summed over what varies": ([node("Transpose", ["rows"], ["t"]), node("MatMul", ["t", "rows"], ["y"])], "matrix"),
    "an axis that varies dropped unasked": ([node("Squeeze", ["rows"], ["y"])], "which axes"),
    "an axis by a size": ([node("Unsqueeze", ["rows", "n"], ["y"])], "the axes that it names"),
    "enlarged to a size": (
        [
            node("Concat", ["minus_one", "one", "two", "two"], ["to"]) + attribute("axis", 0),
            node("Reshape", ["rows", "to"], ["i"]),
            node("Shape", ["i"], ["of_i"]),
            node("Slice", ["of_i", "first", "two", "first"], ["front"]),
            node("Concat", ["front", "n", "five"], ["sizes"]) + attribute("axis", 0),
            node("Resize", ["i", "", "", "sizes"], ["y"]),
        ],
        "another axis than its first",
    ),
    "in a few bits": (
        [
            node("Cast", ["n"], ["few"]) + attribute("to", 3),
            node("Cast", ["few"], ["k"]) + attribute("to", INT64),
            node("ConstantOfShape", ["k"], ["y"]),
        ],
        "computed from the pixels",
    ),
    "padded": ([node("Pad", ["rows", "sides"], ["y"])], "not followed there"),
    "kept without a number": (
        [
            node("Cast", ["x"], ["numbers"]) + attribute("to", INT64),
            node("Reshape", ["numbers", "minus_one"], ["list"]),
            node("Slice", ["list", "first", "one", "first"], ["k"]),
            node("TopK", ["rows", "k"], ["y", "i"]),
        ],
        "computed from the pixels",
    ),
}


@pytest.mark.parametrize(("nodes", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_bound_is_refused(nodes, message):
    tensors = [*TENSORS, ints("sides", [0, 0, 1, 1])]
    with pytest.raises(ModelError, match=message):
        follow(network_of([*BRIGHT, *nodes], tensors), SHAPE)


def crops(images, *more, samples=2):
    """The nodes of RoiAlign on the bright places, of the images that `images` says."""
    return [
        *BRIGHT,
        *more,
        node("RoiAlign", ["x", "rows", images], ["y"])
        + attribute("output_height", 7)
        + attribute("output_width", 5)
        + attribute("sampling_ratio", samples)
        + attribute("coordinate_transformation_mode", "half_pixel"),
    ]


NONE_OF_ALL = node("ConstantOfShape", ["n"], ["images"]) + tensor_attribute("value", ints("", [0]))
# As torchvision writes it: zeros beside the boxes, of which the first column is taken again.
FIRST_COLUMN = [
    node("Concat", ["n", "one"], ["column"]) + attribute("axis", 0),
    node("ConstantOfShape", ["column"], ["zeros"]),
    node("Concat", ["zeros", "rows"], ["both"]) + attribute("axis", 1),
    node("Gather", ["both", "zero_number"], ["as_float"]) + attribute("axis", 1),
    node("Cast", ["as_float"], ["images"]) + attribute("to", INT64),
]


@pytest.mark.parametrize("more", [[NONE_OF_ALL], FIRST_COLUMN], ids=["zeros", "as torchvision"])
def test_crops_of_the_first_image_are_followed(more):
    nodes = crops("images", *more)
    value = follow(network_of(nodes), SHAPE).values["y"]
    assert value.shape == (240, 2, 7, 5)
    assert value.varies[0]
    assert not any(value.varies[1:])
    run = import_onnxruntime().InferenceSession(made(nodes, TENSORS), providers=["CPUExecutionProvider"])
    assert run.run(None, {"x": np.ones(SHAPE, np.float32)})[0].shape == value.shape
    assert run.run(None, {"x": np.zeros(SHAPE, np.float32)})[0].shape == (0, 2, 7, 5)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (crops("images", NONE_OF_ALL, samples=0), "sampling_ratio is 0"),
        (crops("images", NONE_OF_ALL, samples=1000), "sampling_ratio is 1000"),
        (
            crops("images", node("ConstantOfShape", ["n"], ["images"]) + tensor_attribute("value", ints("", [1]))),
            "not certainly 0",
        ),
        (
            crops(
                "images",
                node("Gather", ["rows", "zero_number"], ["column"]) + attribute("axis", 1),
                node("Cast", ["column"], ["images"]) + attribute("to", INT64),
            ),
            "not certainly 0",
        ),
        (
            crops(
                "images",
                *FIRST_COLUMN[:3],
                node("Gather", ["both", "one_number"], ["as_float"]) + attribute("axis", 1),
                FIRST_COLUMN[-1],
            ),
            "not certainly 0",
        ),
        (
            crops(
                "images",
                *FIRST_COLUMN[:4],
                node("Exp", ["as_float"], ["e"]),
                node("Cast", ["e"], ["images"]) + attribute("to", INT64),
            ),
            "not certainly 0",
        ),
    ],
    ids=["adaptive", "many samples", "another image", "of pixels", "another column", "no zeros any more"],
)
def test_crops_that_could_read_beyond_the_memory_or_never_end_are_refused(nodes, message):
    with pytest.raises(ModelError, match=message):
        follow(network_of(nodes), SHAPE)


def test_boxes_that_are_kept_are_bounded_by_the_number_in_the_file():
    network = _network(io.BytesIO(instances_onnx(most=7)))
    values = follow(network, (1, 1, 64, 80)).values
    assert [values[name].shape for name in ("boxes", "scores", "masks")] == [(7, 4), (7,), (7, 28, 28)]
    assert all(values[name].varies[0] for name in ("boxes", "scores", "masks"))
    check_needs(network, (1, 1, 1024, 1024))


def test_a_network_that_keeps_no_number_of_boxes_is_refused():
    nodes = [
        node("Reshape", ["x", "boxes_of"], ["boxes"]),
        node("Reshape", ["x", "scores_of"], ["scores"]),
        node("Cast", ["x"], ["i"]) + attribute("to", INT64),
        node("ReduceMax", ["i"], ["most"]),
        node("NonMaxSuppression", ["boxes", "scores", "most"], ["y"]),
    ]
    with pytest.raises(ModelError, match="computed from the pixels"):
        follow(network_of(nodes, [ints("boxes_of", [1, -1, 4]), ints("scores_of", [1, 4, -1])]), SHAPE)
