"""Which operators are run, with which attributes, and the rule of each.

These are what `cpunet export`, torch's two exporters, tf2onnx and the models of bioimage.io write for segmentation
networks, and what onnxruntime's quantization makes of them. An operator that is not here is refused.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, NamedTuple, Tuple

from cpunet.onnx_reader.operators import objects, pointwise, shapes, windows
from cpunet.onnx_reader.operators.pointwise import COSTLY
from cpunet.onnx_reader.operators.step import Result, Step


class Rule(NamedTuple):
    """What computes the result of an operator, the attributes that it may have, and whether it knows sizes as bounds.

    Other operators have a second rule for inputs of which only the most that their sizes can be is known, in
    `cpunet.onnx_reader.operators.bounded`.
    """

    compute: Callable[[Step], Result]
    attributes: FrozenSet[str]
    bounds: bool = False


def _rule(compute: Callable[[Step], Result], attributes: str = "", bounds: bool = False) -> Rule:
    return Rule(compute, frozenset(attributes.split()), bounds)


_WINDOW = "auto_pad dilations group kernel_shape pads strides"
_POOL = "auto_pad ceil_mode count_include_pad dilations kernel_shape pads storage_order strides"
_NORMALIZATION = "epsilon momentum num_groups spatial stash_type training_mode"

STANDARD: Dict[str, Rule] = {
    **dict.fromkeys(("Abs", "Ceil", "Exp", "Floor", "HardSwish", "Identity"), _rule(pointwise.unary())),
    **dict.fromkeys(("Neg", "Not", "Reciprocal", "Relu", "Round", "Sign"), _rule(pointwise.unary())),
    **dict.fromkeys(("Sqrt", "Tanh", "Sigmoid", "Log"), _rule(pointwise.unary(2 * pointwise.CHEAP))),
    **dict.fromkeys(("Erf", "Softsign"), _rule(pointwise.unary(COSTLY))),
    **dict.fromkeys(("Cos", "Mish", "Sin", "Softplus"), _rule(pointwise.unary(2 * COSTLY))),
    **dict.fromkeys(("Celu", "Elu", "LeakyRelu", "ThresholdedRelu"), _rule(pointwise.unary(), "alpha")),
    "Gelu": _rule(pointwise.unary(COSTLY), "approximate"),
    "HardSigmoid": _rule(pointwise.unary(), "alpha beta"),
    "Selu": _rule(pointwise.unary(), "alpha gamma"),
    **dict.fromkeys(("Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual"), _rule(pointwise.elementwise)),
    **dict.fromkeys(("Less", "LessOrEqual", "Max", "Mean", "Min", "Mul", "Or"), _rule(pointwise.elementwise)),
    **dict.fromkeys(("Pow", "Sub", "Sum"), _rule(pointwise.elementwise)),
    "Mod": _rule(pointwise.elementwise, "fmod"),
    "Where": _rule(pointwise.where),
    "PRelu": _rule(pointwise.prelu),
    "Clip": _rule(pointwise.clip, "min max"),
    "Cast": _rule(pointwise.cast, "to saturate"),
    "Dropout": _rule(pointwise.dropout, "ratio seed"),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), _rule(pointwise.normalization, _NORMALIZATION)),
    "GroupNormalization": _rule(pointwise.normalization, _NORMALIZATION),
    "LayerNormalization": _rule(pointwise.layer_normalization, "axis epsilon stash_type"),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _rule(pointwise.softmax, "axis")),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _rule(pointwise.quantize, "axis saturate")),
    "DynamicQuantizeLinear": _rule(pointwise.dynamic_quantize),
    "Conv": _rule(windows.conv, _WINDOW),
    "ConvInteger": _rule(windows.integer_conv, _WINDOW),
    "ConvTranspose": _rule(windows.conv_transpose, f"{_WINDOW} output_padding output_shape"),
    "QLinearConv": _rule(windows.quantized_conv, _WINDOW),
    **dict.fromkeys(("MaxPool", "AveragePool"), _rule(windows.pool, _POOL)),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _rule(windows.global_pool)),
    "Resize": _rule(
        windows.resize,
        "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
        "keep_aspect_ratio_policy mode nearest_mode",
    ),
    "Upsample": _rule(windows.resize, "mode"),
    "Pad": _rule(windows.pad, "mode pads value"),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _rule(windows.depth_to_space, "blocksize mode")),
    "Shape": _rule(shapes.shape_of, "start end"),
    "Size": _rule(shapes.size_of),
    "Constant": _rule(shapes.constant, "value value_float value_floats value_int value_ints"),
    "ConstantOfShape": _rule(shapes.constant_of_shape, "value"),
    "Range": _rule(shapes.range_of),
    "Reshape": _rule(shapes.reshape, "allowzero"),
    "Flatten": _rule(shapes.flatten, "axis"),
    "Squeeze": _rule(shapes.squeeze, "axes"),
    "Unsqueeze": _rule(shapes.unsqueeze, "axes"),
    "Transpose": _rule(shapes.transpose, "perm"),
    "Concat": _rule(shapes.concat, "axis"),
    "Split": _rule(shapes.split, "axis num_outputs split"),
    "Slice": _rule(shapes.cut, "axes ends starts"),
    "Gather": _rule(shapes.gather, "axis"),
    "Expand": _rule(shapes.expand),
    "Tile": _rule(shapes.tile),
    **dict.fromkeys(
        ("ReduceL1", "ReduceL2", "ReduceLogSum"), _rule(shapes.reduce, "axes keepdims noop_with_empty_axes")
    ),
    **dict.fromkeys(("ReduceLogSumExp", "ReduceMax"), _rule(shapes.reduce, "axes keepdims noop_with_empty_axes")),
    **dict.fromkeys(("ReduceMean", "ReduceMin"), _rule(shapes.reduce, "axes keepdims noop_with_empty_axes")),
    **dict.fromkeys(("ReduceProd", "ReduceSum"), _rule(shapes.reduce, "axes keepdims noop_with_empty_axes")),
    "ReduceSumSquare": _rule(shapes.reduce, "axes keepdims noop_with_empty_axes"),
    **dict.fromkeys(("ArgMax", "ArgMin"), _rule(shapes.place_of_largest, "axis keepdims select_last_index")),
    "MatMul": _rule(shapes.matmul),
    "MatMulInteger": _rule(shapes.integer_matmul),
    "Gemm": _rule(shapes.gemm, "alpha beta transA transB"),
    # Of networks that find objects.
    "NonMaxSuppression": _rule(objects.non_max_suppression, "center_point_box", bounds=True),
    "NonZero": _rule(objects.non_zero, bounds=True),
    "Compress": _rule(objects.compress, "axis", bounds=True),
    "TopK": _rule(objects.top_k, "axis largest sorted", bounds=True),
    "RoiAlign": _rule(
        objects.roi_align,
        "coordinate_transformation_mode mode output_height output_width sampling_ratio spatial_scale",
        bounds=True,
    ),
    "GatherND": _rule(objects.gather_nd, "batch_dims", bounds=True),
    "GatherElements": _rule(objects.gather_elements, "axis", bounds=True),
    "ScatterND": _rule(objects.scatter, "reduction", bounds=True),
    "ScatterElements": _rule(objects.scatter, "axis reduction", bounds=True),
}
STANDARD_DOMAINS = ("", "ai.onnx")


def _quantized_pair(step: Step) -> Result:
    step.need(len(step.inputs) == 8, f"it has {len(step.inputs)} inputs, and takes 8")
    for position in (1, 2, 4, 5, 6, 7):
        step.input(position)
        step.shaped(position, (), (1,))
    return pointwise.elementwise(Step(step.node, (step.input(0), step.input(3))))


def _quantized_unary(step: Step) -> Result:
    step.need(len(step.inputs) == 5, f"it has {len(step.inputs)} inputs, and takes 5")
    for position in (1, 2, 3, 4):
        step.shaped(position, (), (1,))
    return pointwise.unary(COSTLY)(Step(step.node, step.inputs[:1]))


# What onnxruntime's own quantization and optimization write. Others of this domain read files or call Python.
OF_ONNXRUNTIME: Dict[str, Rule] = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _rule(pointwise.quantize, "axis")),
    "QuickGelu": _rule(pointwise.unary(COSTLY), "alpha"),
    "FusedConv": _rule(windows.conv, f"{_WINDOW} activation"),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), _rule(_quantized_pair)),
    "QLinearSigmoid": _rule(_quantized_unary),
    "QLinearLeakyRelu": _rule(_quantized_unary, "alpha"),
    "QLinearConcat": _rule(shapes.concat, "axis"),
    "QLinearAveragePool": _rule(windows.quantized_pool, f"{_POOL} channels_last"),
    "QLinearGlobalAveragePool": _rule(windows.quantized_pool, "channels_last"),
}

RULES: Dict[Tuple[str, str], Rule] = {
    **{("", operator): rule for operator, rule in STANDARD.items()},
    **{("ai.onnx", operator): rule for operator, rule in STANDARD.items()},
    **{("com.microsoft", operator): rule for operator, rule in OF_ONNXRUNTIME.items()},
}
