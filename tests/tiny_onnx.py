"""Write tiny ONNX models byte by byte: the CellProfiler world has no onnx package, and needs none."""

import json
import struct

FLOAT = 1
CARD = {
    "card_version": "1.0",
    "name": "tiny",
    "version": "1.0.0",
    "description": "A sigmoid of the normalised intensity.",
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


def value_info(name, channels, size):
    wanted = ["N", channels, size or "Y", size or "X"]
    dims = [field(1 if isinstance(dim, int) else 2, dim) for dim in wanted]
    shape = b"".join(field(1, dim) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def node(kind, inputs, outputs):
    return b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs) + field(4, kind)


def tiny_onnx(card=CARD, channels=1, out_channels=1, gain=14.0, offset=-4.0, size=None):
    """Return an ONNX file: sigmoid(gain * intensity + offset) in every output channel.

    Parameters
    ----------
    card : dict or str or None
        The model card; text goes in as it is, None leaves it out.
    channels, out_channels : int
        Of the network, whatever the card says.
    gain, offset : float
    size : int, optional
        A fixed height and width; free by default.
    """
    weights = [gain / channels] * (channels * out_channels)
    graph = b"".join(
        [
            field(1, node("Conv", ["image", "weight", "bias"], ["logits"])),
            field(1, node("Sigmoid", ["logits"], ["probabilities"])),
            field(2, "tiny"),
            field(5, tensor("weight", [out_channels, channels, 1, 1], weights)),
            field(5, tensor("bias", [out_channels], [offset] * out_channels)),
            field(11, value_info("image", channels, size)),
            field(12, value_info("probabilities", out_channels, size)),
        ]
    )
    model = field(1, 8) + field(7, graph) + field(8, field(2, 17))
    if card is not None:
        text = card if isinstance(card, str) else json.dumps(card)
        model += field(14, field(1, "cpunet.model_card") + field(2, text))
    return model


def changed_card(**sections):
    """Return the card with sections, or fields of sections, replaced."""
    card = json.loads(json.dumps(CARD))
    for name, value in sections.items():
        if isinstance(value, dict) and name in card:
            card[name].update(value)
        else:
            card[name] = value
    return card
