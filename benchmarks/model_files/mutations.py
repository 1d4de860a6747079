"""Ways to break a model file and its card; for `benchmarks.model_files.fuzz`."""

from __future__ import annotations

import copy
import io
import json
import random
from pathlib import Path
from typing import Any, Iterator, List, Tuple

from cpunet.onnx_reader.protobuf import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, Field, ProtobufError, Reader
from tests.tiny_onnx import CARD, field, graph_attribute, node, quantized_onnx, tiny_onnx, varint

MODELS = Path(__file__).resolve().parents[2] / "models"
HUGE = [varint(2**bits - 1) for bits in (7, 14, 31, 32, 63, 64)] + [b"\xff" * 10, b"\xff" * 20]
NUMBERS = [0, 1, 2, 127, 2**31, 2**32 + 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]
VALUES = [None, True, -1, 0, 3, 0.5, 1e9, 1e308, float("nan"), float("inf"), 10**30, 10**4000, "", "x", "9" * 5000]
VALUES += ["\ud800", "\x1b[2J", "foreground", [], ["foreground"], [[]], {}, {"": {}}, {"a": [1, "b"]}]
NO_TEXT = [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\\ud800", b"1e999", b"-"]
GRAPH, INITIALIZER, DATA_TYPE, NAME = 7, 5, 2, 8  # field numbers in ONNX' protobuf


def seed_files() -> List[bytes]:
    """Return valid files: synthetic ones, and the shipped models without their weights."""
    synthetic = [tiny_onnx(), tiny_onnx(card=None), tiny_onnx(channels=3, out_channels=2), quantized_onnx()]
    return synthetic + [without_weights(path.read_bytes()) for path in sorted(MODELS.glob("*/model.onnx"))]


def without_weights(content: bytes) -> bytes:
    """Return a model with the same weights by name and type, all of them without elements."""
    model = b""
    for part, inner in fields_of(content):
        if part.number == GRAPH:
            slim = [
                (each, _emptied(value) if each.number == INITIALIZER else value) for each, value in fields_of(inner)
            ]
            inner = b"".join(encoded(each, value) for each, value in slim)
        model += encoded(part, inner)
    return model


def _emptied(tensor: bytes) -> bytes:
    kept = [encoded(part, inner) for part, inner in fields_of(tensor) if part.number in (DATA_TYPE, NAME)]
    return field(1, 0) + b"".join(kept) + field(9, b"")


def fields_of(content: bytes) -> List[Tuple[Field, bytes]]:
    """Return a message's fields, each with its content."""
    found = Reader(io.BytesIO(content), 10**6, 0).fields(0, len(content))
    return [(part, content[part.start : part.stop]) for part in found]


def encoded(part: Field, content: bytes) -> bytes:
    """Encode a field again, with other content if it has a length."""
    if part.kind == LENGTH_DELIMITED:
        return field(part.number, content)
    return varint(part.number << 3 | part.kind) + (varint(part.value) if part.kind == VARINT else content)


def mutated_file(rng: random.Random, content: bytes) -> bytes:
    """Break a file in one to four ways. Some of them keep its lengths right, so that it is read further."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = _mutated_field(rng, content) if rng.random() < 0.6 else _mutated_bytes(rng, content)
    return content


def _mutated_bytes(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    to = min(len(content), at + rng.choice((1, 2, 8, 64, 1000)))
    before, between, after = content[:at], content[at:to], content[to:]
    ways = [
        lambda: before,
        lambda: before + bytes(rng.randrange(256) for _ in range(rng.randint(1, 16))) + between + after,
        lambda: before + between * rng.choice((2, 3, 50)) + after,
        lambda: before + after,
        lambda: before + rng.choice(HUGE) + content[at + rng.choice((0, 1)) :],
        lambda: _changed_bytes(rng, content, bits=True),
        lambda: _changed_bytes(rng, content, bits=False),
    ]
    return rng.choice(ways)()


def _changed_bytes(rng: random.Random, content: bytes, bits: bool) -> bytes:
    """Change some bytes, by one bit each or to any value."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 4, 32)) if content else 0):
        position = rng.randrange(len(changed))
        changed[position] = changed[position] ^ 1 << rng.randrange(8) if bits else rng.randrange(256)
    return bytes(changed)


def _mutated_field(rng: random.Random, content: bytes) -> bytes:
    """Change one field, somewhere in the tree of messages, and keep all lengths around it right."""
    try:
        parts = fields_of(content)
    except ProtobufError:
        return _mutated_bytes(rng, content)
    if not parts:
        return content + field(rng.randint(1, 30), rng.choice(NUMBERS))
    chunks = [encoded(part, inner) for part, inner in parts]
    index = rng.randrange(len(parts))
    part, inner = parts[index]
    if part.kind == LENGTH_DELIMITED and inner and rng.random() < 0.75:
        chunks[index] = field(part.number, _mutated_field(rng, inner))
    else:
        same, number = chunks[index], part.number
        ways = [
            lambda: b"",
            lambda: same * rng.choice((2, 3, 100)),
            lambda: field(number, rng.choice(NUMBERS)),
            lambda: field(rng.randint(1, 30), inner),
            lambda: same + rng.choice(chunks),
            lambda: varint(number << 3 | rng.choice((VARINT, FIXED64, 3, 4, FIXED32))) + inner,
            lambda: varint(number << 3 | LENGTH_DELIMITED) + rng.choice(HUGE) + inner,
            lambda: field(number, nested(rng.choice((1, 3, 5, 50, 1000)), rng.choice((1, 5, 6, 7)))),
        ]
        chunks[index] = rng.choice(ways)()
    return b"".join(chunks)


def nested(depth: int, number: int) -> bytes:
    """Return messages inside one another: graphs in branches for the number 6, fields of the number otherwise."""
    content = b""
    for _ in range(depth):
        branch = node("If", ["x"], ["y"]) + graph_attribute("then_branch", content)
        content = field(1, branch) if number == 6 else field(number, content)
    return content


def mutated_card(rng: random.Random) -> bytes:
    """Return the bytes of a model card that is broken in one to four ways."""
    card: Any = json.loads(json.dumps(CARD))
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        _change(rng, card)
    text = json.dumps(card).encode()
    way, at = rng.randrange(12), rng.randrange(len(text))
    if way == 0:
        return text[:at]
    if way == 1:
        return text[:at] + rng.choice(NO_TEXT) + text[at:]
    if way == 2:
        depth = rng.choice((10, 40, 200, 900, 980, 1000, 5000, 100_000))
        bomb = b"[" * depth + b"]" * depth if rng.random() < 0.5 else b'{"a":' * depth + b"1" + b"}" * depth
        return text.replace(rng.choice((b'"tiny"', b"20.0", b"[", b'"CC0-1.0"')), bomb, 1)
    if way == 3:
        digits = b"9" * rng.choice((19, 30, 400, 5000, 50_000))
        return text.replace(rng.choice((b"4", b"20.0", b"12", b"0.5")), digits, 1)
    return _mutated_bytes(rng, text) if way == 4 else text


def _change(rng: random.Random, card: Any) -> None:
    """Change a value anywhere in a card, in place."""
    holder, key = rng.choice(list(_places(card)))
    way = rng.randrange(5)
    value: Any = copy.deepcopy(rng.choice(VALUES))
    if way == 0 and isinstance(holder, dict):
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        holder[rng.choice(("", "extra", "name", "input", "\ud800", "\x1b", key * 3))] = copy.deepcopy(holder[key])
    elif way == 2:
        for _ in range(rng.choice((3, 30, 60))):
            value = [value] if rng.random() < 0.5 else {"a": value}
        holder[key] = value
    elif way == 3:
        other, name = rng.choice(list(_places(card)))
        holder[key] = json.loads(json.dumps(other[name]))
    else:
        holder[key] = value


def _places(holder: Any) -> Iterator[Tuple[Any, Any]]:
    """Yield each place in nested lists and dicts as (list or dict, index or key)."""
    for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
        yield holder, key
        if isinstance(holder[key], (dict, list)):
            yield from _places(holder[key])
