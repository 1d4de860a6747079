"""Steps that look at a window around each pixel: convolutions, poolings, resizing, padding."""

from __future__ import annotations

import math
from typing import List, Optional, Sequence, Tuple

from cpunet.onnx_reader.operators.pointwise import CHEAP, COSTLY
from cpunet.onnx_reader.operators.step import Result, Shape, Step, Value
from cpunet.onnx_reader.tensor import INT32

LARGEST_WINDOW, LARGEST_STRIDE, LARGEST_DILATION, LARGEST_PAD = 64, 64, 64, 4096
LARGEST_FACTOR = 64
# Pyramids of poolings spread a mean over the whole image, so a single pixel may become a side of a tile.
LARGEST_SIZE = 16_384
# A convolution with fewer output channels than this in a group cannot use the processor well.
FEW_CHANNELS, SLOWER = 8, 64
FUSED_ACTIVATIONS = ("", "Relu", "Sigmoid", "Tanh")  # others take parameters


def _window(step: Step, kernel: Sequence[int]) -> Tuple[Shape, Shape, Shape]:
    """Return strides, dilations and pads of a window, after checking them."""
    rank = len(kernel)
    for size in kernel:
        step.need(1 <= size <= LARGEST_WINDOW, f"its window is {list(kernel)}, and may be 1 to {LARGEST_WINDOW} wide")
    strides = step.list("strides", (1,) * rank, 1, LARGEST_STRIDE)
    dilations = step.list("dilations", (1,) * rank, 1, LARGEST_DILATION)
    pads = step.list("pads", (0,) * 2 * rank, 0, LARGEST_PAD)
    return strides, dilations, pads


def _slid(step: Step, sizes: Shape, kernel: Shape, ceil: bool = False) -> Shape:
    """Return the size of the result of a window that slides over rows and columns."""
    rank = len(sizes)
    strides, dilations, pads = _window(step, kernel)
    auto = step.text("auto_pad", "NOTSET", ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
    result = []
    for axis in range(rank):
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        if auto.startswith("SAME"):
            result.append(-(-sizes[axis] // strides[axis]))
            continue
        room = sizes[axis] - reach + (0 if auto == "VALID" else pads[axis] + pads[axis + rank])
        step.need(room >= 0, f"its window of {reach} pixels is larger than its input of {sizes[axis]}")
        # Releases after onnxruntime 1.19 leave out a last window that begins behind the last pixel.
        result.append((-(-room // strides[axis]) if ceil else room // strides[axis]) + 1)
    return tuple(result)


def _rows_and_columns(step: Step, given: Value) -> Shape:
    step.need(3 <= len(given.shape) <= 5, f"its input has the shape {list(given.shape)}, not (N, C, Y, X)")
    return given.shape[2:]


def _macs(outputs: int, inputs_each: int, channels_of_a_group: int) -> int:
    return outputs * inputs_each * (SLOWER if channels_of_a_group < FEW_CHANNELS else 1)


def _convolved(step: Step, given: Value, weights: Value, bias: Optional[Value]) -> Result:
    sizes = _rows_and_columns(step, given)
    group = step.integer("group", 1)
    step.need(len(weights.shape) == len(given.shape), f"its weights have the shape {list(weights.shape)}")
    channels, each, kernel = weights.shape[0], weights.shape[1], weights.shape[2:]
    step.need(
        group >= 1 and group * each == given.shape[1] and channels % group == 0,
        f"its {group} groups of weights {list(weights.shape)} do not fit {given.shape[1]} channels",
    )
    step.list("kernel_shape", kernel, 1, LARGEST_WINDOW)
    step.need(step.node.attributes.get("kernel_shape", kernel) == kernel, "its kernel_shape is not that of its weights")
    step.need(bias is None or bias.shape == (channels,), "its bias has another size than its channels")
    result = Value((given.shape[0], channels, *_slid(step, sizes, kernel)), given.kind)
    inputs_each = each * math.prod(kernel)
    # A buffer with the window of each pixel, for as many pixels as are computed at a time.
    workspace = 4 * group * inputs_each * min(math.prod(result.shape[2:]), 2**16)
    return Result([result], _macs(result.elements, inputs_each, channels // group), workspace)


def conv(step: Step) -> Result:
    """Convolve."""
    step.text("activation", "", FUSED_ACTIVATIONS)  # of onnxruntime's FusedConv
    result = _convolved(step, step.input(0), step.input(1), step.optional(2))
    step.shaped(3, result.outputs[0].shape)
    return result


def quantized_conv(step: Step) -> Result:
    """Convolve numbers of 8 bits: image, scale, zero, weights, scale, zero, scale, zero, bias."""
    given, weights = step.input(0), step.input(3)
    channels = weights.shape[:1]
    for position in (1, 2, 6, 7):
        step.input(position)
        step.shaped(position, (), (1,))
    for position in (4, 5):
        step.input(position)
        step.shaped(position, (), (1,), channels)
    found = _convolved(step, given, weights, step.optional(8))
    buffer = math.prod(weights.shape[1:]) * math.prod(found.outputs[0].shape[2:])
    return found._replace(
        outputs=[found.outputs[0]._replace(kind=step.input(7).kind)], work=4 * found.work, workspace=4 * buffer
    )


def integer_conv(step: Step) -> Result:
    """Convolve numbers of 8 bits into whole numbers of 32: image, weights, and the zero of each."""
    given, weights = step.input(0), step.input(1)
    step.shaped(2, (), (1,))
    step.shaped(3, (), (1,), weights.shape[:1])
    found = _convolved(step, given, weights, None)
    buffer = math.prod(weights.shape[1:]) * math.prod(found.outputs[0].shape[2:])
    return found._replace(
        outputs=[found.outputs[0]._replace(kind=INT32)], work=4 * found.work, workspace=found.workspace + 4 * buffer
    )


def conv_transpose(step: Step) -> Result:
    """Convolve backward, which enlarges by the stride."""
    given, weights, bias = step.input(0), step.input(1), step.optional(2)
    sizes = _rows_and_columns(step, given)
    group, rank = step.integer("group", 1), len(sizes)
    step.need(len(weights.shape) == len(given.shape), f"its weights have the shape {list(weights.shape)}")
    kernel = weights.shape[2:]
    step.need(
        group >= 1 and weights.shape[0] == given.shape[1] and given.shape[1] % group == 0,
        f"its {group} groups of weights {list(weights.shape)} do not fit {given.shape[1]} channels",
    )
    channels = weights.shape[1] * group
    step.list("kernel_shape", kernel, 1, LARGEST_WINDOW)
    step.need(step.node.attributes.get("kernel_shape", kernel) == kernel, "its kernel_shape is not that of its weights")
    step.need(bias is None or bias.shape == (channels,), "its bias has another size than its channels")
    strides, dilations, pads = _window(step, kernel)
    auto = step.text("auto_pad", "NOTSET", ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
    more = step.list("output_padding", (0,) * rank, 0, LARGEST_STRIDE - 1)
    step.need(all(extra < max(each) for extra, each in zip(more, zip(strides, dilations))), "its output_padding")
    result: List[int] = []
    for axis in range(rank):
        full = strides[axis] * (sizes[axis] - 1) + more[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        if auto.startswith("SAME"):
            full = strides[axis] * sizes[axis]
        elif auto == "NOTSET":
            full -= pads[axis] + pads[axis + rank]
        step.need(full >= 1 or "output_shape" in step.node.attributes, "nothing of its result is left")
        result.append(full)
    if "output_shape" in step.node.attributes:
        asked = step.list("output_shape", (1,) * rank, 1, 2**20)
        for axis, size in enumerate(asked):
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            cut_off = strides[axis] * (sizes[axis] - 1) + more[axis] + reach - size
            step.need(0 <= cut_off <= 2 * reach, f"its output_shape {list(asked)} does not fit")
        result = list(asked)
    out = Value((given.shape[0], channels, *result), given.kind)
    columns = weights.shape[1] * group * math.prod(kernel) * math.prod(sizes)
    work = given.shape[0] * (columns * given.shape[1] // group + CHEAP * columns)
    return Result([out], work, 4 * columns)


def pool(step: Step) -> Result:
    """Take the largest or the mean value of each window."""
    given = step.input(0)
    sizes = _rows_and_columns(step, given)
    step.only_output()
    kernel = step.list("kernel_shape", (1,) * len(sizes), 1, LARGEST_WINDOW)
    step.need("kernel_shape" in step.node.attributes, "it has no kernel_shape")
    step.need(not step.integer("storage_order", 0) and not step.integer("channels_last", 0), "its order of axes")
    _, _, pads = _window(step, kernel)
    step.need(all(pad < 2 * size for pad, size in zip(pads, kernel * 2)), f"its pads {list(pads)} exceed its window")
    out = Value((*given.shape[:2], *_slid(step, sizes, kernel, bool(step.integer("ceil_mode", 0)))), given.kind)
    return Result([out], out.elements * (CHEAP + 8 * math.prod(kernel)))


def quantized_pool(step: Step) -> Result:
    """Take means of numbers of 8 bits."""
    for position in (1, 2, 3, 4):
        step.input(position)
        step.shaped(position, (), (1,))
    if step.node.operator == "QLinearGlobalAveragePool":
        return global_pool(step)
    found = pool(step)
    return found._replace(work=4 * found.work, workspace=8 * step.input(0).elements)


def global_pool(step: Step) -> Result:
    """Take the largest or the mean value of all rows and columns."""
    given = step.input(0)
    sizes = _rows_and_columns(step, given)
    step.need(not step.integer("channels_last", 0), "its order of axes")
    return Result([Value((*given.shape[:2], *(1,) * len(sizes)), given.kind)], CHEAP * given.elements, given.bytes)


def resize(step: Step) -> Result:
    """Enlarge or shrink rows and columns."""
    given = step.input(0)
    rank = len(given.shape)
    mode = step.text("mode", "nearest", ("nearest", "linear", "cubic"))
    step.text(
        "coordinate_transformation_mode",
        "half_pixel",
        ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"),
    )
    step.text("nearest_mode", "round_prefer_floor", ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
    step.text("keep_aspect_ratio_policy", "stretch", ("stretch",))
    for name in ("antialias", "exclude_outside"):
        step.need(step.integer(name, 0) in (0, int(name == "exclude_outside")), f"its attribute {name} is not 0")
    for name in ("cubic_coeff_a", "extrapolation_value"):
        step.real(name, 0.0)
    axes = step.node.attributes.get("axes")
    axes = tuple(range(rank)) if axes is None else tuple(step.checked_axis(axis, rank) for axis in axes)
    step.need(len(set(axes)) == len(axes), "it names an axis twice")
    scales_at = 1 if len(step.inputs) == 2 else 2  # before opset 11 there is no region of interest
    sizes_given = step.optional(3)
    shape = list(given.shape)
    if sizes_given is not None and sizes_given.shape != (0,):
        wanted = list(step.integers(3))
        step.need(len(wanted) == len(axes), f"its sizes are {wanted} for {len(axes)} axes")
    elif "scales" in step.node.attributes and scales_at == 2:
        step.refuse("its scales are an attribute, as before opset 9")
    else:
        scales = [float(number) for number in step.numbers(scales_at).reshape(-1)]
        step.need(len(scales) == len(axes), f"it has {len(scales)} scales for {len(axes)} axes")
        step.need(
            all(1 / LARGEST_FACTOR <= scale <= LARGEST_FACTOR for scale in scales),
            f"its scales are {scales}, and each may be 1/{LARGEST_FACTOR} to {LARGEST_FACTOR}",
        )
        wanted = [math.floor(shape[axis] * scale) for axis, scale in zip(axes, scales)]
    for axis, size in zip(axes, wanted):
        step.need(
            1 <= size <= max(LARGEST_SIZE, LARGEST_FACTOR * shape[axis]),
            f"it makes {size} of {shape[axis]} pixels; {LARGEST_SIZE} pixels, or {LARGEST_FACTOR} times as many, are "
            "the limit",
        )
        shape[axis] = size
    out = Value(tuple(shape), given.kind)
    work = {"nearest": CHEAP, "linear": 2 * CHEAP, "cubic": 2 * COSTLY}[mode]
    return Result([out], work * out.elements, 64 * sum(shape))


def pad(step: Step) -> Result:
    """Add or cut off borders."""
    given = step.input(0)
    rank = len(given.shape)
    mode = step.text("mode", "constant", ("constant", "reflect", "edge", "wrap"))
    step.real("value", 0.0)
    if "pads" in step.node.attributes:
        pads = step.list("pads", (0,) * 2 * rank, -LARGEST_PAD, LARGEST_PAD)
    else:
        pads = step.integers(1)
    step.shaped(2, (), (1,), (0,))
    axes = tuple(range(rank)) if step.optional(3) is None else step.integers(3)
    axes = tuple(step.checked_axis(axis, rank) for axis in axes)
    step.need(len(pads) == 2 * len(axes) and len(set(axes)) == len(axes), f"its pads {list(pads)} do not fit its axes")
    shape = list(given.shape)
    for place, axis in enumerate(axes):
        before, after = pads[place], pads[place + len(axes)]
        largest = {"reflect": shape[axis] - 1, "wrap": shape[axis]}.get(mode, LARGEST_PAD)
        smallest = -shape[axis] if mode == "constant" else 0
        for each in (before, after):
            step.need(
                smallest <= each <= largest,
                f"it pads {shape[axis]} pixels by {each}; in the mode {mode} {smallest} to {largest} can be",
            )
        shape[axis] += before + after
        step.need(shape[axis] >= 1, "nothing of its input is left")
    out = Value(tuple(shape), given.kind)
    return Result([out], CHEAP * out.elements)


def depth_to_space(step: Step) -> Result:
    """Turn channels into pixels, or pixels into channels."""
    given, block = step.input(0), step.integer("blocksize", 0)
    step.need(len(given.shape) == 4 and 1 <= block <= LARGEST_STRIDE, f"its blocksize is {block}")
    step.text("mode", "DCR", ("DCR", "CRD"))
    batch, channels, height, width = given.shape
    if step.node.operator == "DepthToSpace":
        step.need(channels % block**2 == 0, f"{channels} channels cannot be divided by {block**2}")
        shape = (batch, channels // block**2, height * block, width * block)
    else:
        step.need(height % block == width % block == 0, f"its input of {height} x {width} cannot be divided by {block}")
        shape = (batch, channels * block**2, height // block, width // block)
    return Result([Value(shape, given.kind)], CHEAP * given.elements)
