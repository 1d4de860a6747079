"""Write tiny ONNX models byte by byte: the CellProfiler world has no onnx package, and needs none."""

import json
import struct

FLOAT = 1
CARD = {
    "card_version": "1.0",
    "name": "tiny",
    "version": "1.0.0",
    "description": "A sigmoid of the normalized intensity.",
    "licence": "CC0-1.0",
    "input": {
        "channels": ["nuclei"],
        "divisible_by": 4,
        "min_size": 8,
        "normalization": {"kind": "percentile", "percentile_low": 1.0, "percentile_high": 99.8},
        "diameter_px": 20.0,
        "diameter_low_px": 10.0,
        "diameter_high_px": 40.0,
        "modality": "fluorescence",
    },
    "output": {"roles": ["foreground"], "halo": 0},
    "postprocessing": {"foreground_threshold": 0.5, "marker_threshold": 0.5, "min_size_px": 12},
}


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """Encode a field: an int as a varint, everything else with its length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name, shape, values):
    dims = b"".join(field(1, size) for size in shape)
    return dims + field(2, FLOAT) + field(8, name) + field(9, struct.pack(f"<{len(values)}f", *values))


def value_info(name, channels, size, batch="N"):
    height, width = size if isinstance(size, tuple) else (size or "Y", size or "X")
    wanted = [batch, channels, height, width]
    dims = [field(1 if isinstance(dim, int) else 2, dim) for dim in wanted]
    shape = b"".join(field(1, dim) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def node(kind, inputs, outputs):
    return b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs) + field(4, kind)


def raw_tensor(name, data_type, shape, raw):
    """Encode a TensorProto whose values are bytes, which need not fit its shape."""
    return b"".join(field(1, size) for size in shape) + field(2, data_type) + field(8, name) + field(9, raw)


def attribute(name, value):
    """Encode an attribute: an int, a text, a list of ints or of floats."""
    if isinstance(value, int):
        return field(5, field(1, name) + field(3, value % 2**64) + field(20, 2))
    if isinstance(value, str):
        return field(5, field(1, name) + field(4, value) + field(20, 3))
    if value and isinstance(value[0], float):
        packed = b"".join(varint(7 << 3 | 5) + struct.pack("<f", number) for number in value)
        return field(5, field(1, name) + packed + field(20, 6))
    return field(5, field(1, name) + b"".join(field(8, number % 2**64) for number in value) + field(20, 7))


def tensor_attribute(name, content):
    return field(5, field(1, name) + field(5, content) + field(20, 4))


def graph_attribute(name, content):
    return field(5, field(1, name) + field(6, content) + field(20, 5))


def graph_of(nodes, tensors=(), takes=("image",), gives="probabilities", channels=1, out_channels=None):
    """Encode a GraphProto of encoded nodes and tensors; it gives as many channels as it takes, unless it is said."""
    parts = [field(1, content) for content in nodes] + [field(2, "drawn")]
    parts += [field(5, content) for content in tensors]
    parts += [field(11, value_info(name, channels, None)) for name in takes]
    return b"".join([*parts, field(12, value_info(gives, out_channels or channels, None))])


def onnx_of(graph, card=CARD, domains=("",), more=b""):
    """Encode a ModelProto around an encoded graph; `more` are further fields of it."""
    imports = b"".join(
        field(8, (field(1, domain) if domain else b"") + field(2, 1 if domain else 17)) for domain in domains
    )
    model = field(1, 8) + field(7, graph) + imports + more
    return model if card is None else model + field(14, field(1, "cpunet.model_card") + field(2, json.dumps(card)))


def quantized_onnx(gain=14.0, offset=-4.0):
    """Return the network of `tiny_onnx` in 8 bits, with the operators that onnxruntime's quantization writes."""
    uint8, int8, int32 = 2, 3, 6
    scales = {"image_scale": 1 / 255, "weight_scale": gain / 127, "logits_scale": 14 / 255, "scale": 1 / 255}
    zeros = {"image_zero": 0, "logits_zero": round(-offset / (14 / 255)), "zero": 0}
    bias = round(offset / (gain / 127 / 255))
    tensors = [tensor(name, [], [value]) for name, value in scales.items()]
    tensors += [raw_tensor(name, uint8, [], bytes([value])) for name, value in zeros.items()]
    tensors += [raw_tensor("weight_zero", int8, [], b"\0"), raw_tensor("weight", int8, [1, 1, 1, 1], bytes([127]))]
    tensors += [raw_tensor("bias", int32, [1], struct.pack("<i", bias))]
    conv = ["quantized", "image_scale", "image_zero", "weight", "weight_scale", "weight_zero", "logits_scale"]
    nodes = [
        node("QuantizeLinear", ["image", "image_scale", "image_zero"], ["quantized"]),
        node("QLinearConv", [*conv, "logits_zero", "bias"], ["logits"]),
        node("QLinearSigmoid", ["logits", "logits_scale", "logits_zero", "scale", "zero"], ["sigmoid"])
        + field(7, "com.microsoft"),
        node("DequantizeLinear", ["sigmoid", "scale", "zero"], ["probabilities"]),
    ]
    return onnx_of(graph_of(nodes, tensors), domains=("", "com.microsoft"))


def tiny_onnx(card=CARD, channels=1, out_channels=1, gain=14.0, offset=-4.0, size=None, batch="N"):
    """Return an ONNX file: sigmoid(gain * intensity + offset) in every output channel.

    Parameters
    ----------
    card : dict or str or None
        The model card; text goes in as it is, None leaves it out.
    channels, out_channels : int
        Of the network, whatever the card says.
    gain, offset : float
    size : int, or two, optional
        A fixed height and width; free by default.
    batch : str or int
        A name for a free batch, or its fixed size.
    """
    weights = [gain / channels] * (channels * out_channels)
    graph = b"".join(
        [
            field(1, node("Conv", ["image", "weight", "bias"], ["logits"])),
            field(1, node("Sigmoid", ["logits"], ["probabilities"])),
            field(2, "tiny"),
            field(5, tensor("weight", [out_channels, channels, 1, 1], weights)),
            field(5, tensor("bias", [out_channels], [offset] * out_channels)),
            field(11, value_info("image", channels, size, batch)),
            field(12, value_info("probabilities", out_channels, size, batch)),
        ]
    )
    model = field(1, 8) + field(7, graph) + field(8, field(2, 17))
    if card is not None:
        text = card if isinstance(card, str) else json.dumps(card)
        model += field(14, field(1, "cpunet.model_card") + field(2, text))
    return model


def changed_card(card=CARD, /, **sections):
    """Return a card with sections, or fields of sections, replaced."""
    card = json.loads(json.dumps(card))
    for name, value in sections.items():
        if isinstance(value, dict) and name in card:
            card[name].update(value)
        else:
            card[name] = value
    return card
