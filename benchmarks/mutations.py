"""Ways to break a model file and its card; for `benchmarks.fuzz_model_files`."""

from __future__ import annotations

import copy
import io
import json
import random
from pathlib import Path
from typing import Any, List, Tuple

from cpunet.onnx_reader.protobuf import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, Field, ProtobufError, Reader
from tests.tiny_onnx import CARD, field, graph_attribute, node, quantized_onnx, tiny_onnx, varint

MODELS = Path(__file__).resolve().parents[1] / "models"
HUGE = [varint(2**bits - 1) for bits in (7, 14, 31, 32, 63, 64)] + [b"\xff" * 10, b"\xff" * 20]
NUMBERS = [0, 1, 2, 127, 2**31, 2**32 + 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1]
VALUES = [None, True, -1, 0, 3, 0.5, 1e9, 1e308, float("nan"), float("inf"), 10**30, 10**4000, "", "x", "9" * 5000]
VALUES += ["\ud800", "\x1b[2J", "foreground", [], ["foreground"], [[]], {}, {"": {}}, {"a": [1, "b"]}]


def seed_files() -> List[bytes]:
    """Return sound files: drawn ones, and the shipped models without their weights."""
    drawn = [tiny_onnx(), tiny_onnx(card=None), tiny_onnx(channels=3, out_channels=2), quantized_onnx()]
    return drawn + [without_weights(path.read_bytes()) for path in sorted(MODELS.glob("*/model.onnx"))]


def without_weights(content: bytes) -> bytes:
    """Return a model whose weights have no elements, and are as many as before."""
    model = b""
    for part in fields_of(content):
        model += encoded(part, content[part.start : part.stop])
        if part.number == 7:
            graph = content[part.start : part.stop]
            slim = b"".join(encoded(inner, _emptied(inner, graph)) for inner in fields_of(graph))
            model = model[: -len(encoded(part, graph))] + field(7, slim)
    return model


def _emptied(part: Field, graph: bytes) -> bytes:
    content = graph[part.start : part.stop]
    if part.number != 5:
        return content
    kept = [inner for inner in fields_of(content) if inner.number in (2, 8)]
    return field(1, 0) + b"".join(encoded(inner, content[inner.start : inner.stop]) for inner in kept) + field(9, b"")


def fields_of(content: bytes) -> List[Field]:
    """Return a message's fields."""
    return list(Reader(io.BytesIO(content), 10**6, 0).fields(0, len(content)))


def encoded(part: Field, content: bytes) -> bytes:
    """Encode a field again, with other content if it has a length."""
    if part.kind == LENGTH_DELIMITED:
        return field(part.number, content)
    return varint(part.number << 3 | part.kind) + (varint(part.value) if part.kind == VARINT else content)


def mutated_file(rng: random.Random, content: bytes) -> bytes:
    """Break a file in one to four ways, of which some keep its lengths right, so that they are read further."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = _mutated_field(rng, content) if rng.random() < 0.6 else _mutated_bytes(rng, content)
    return content


def _mutated_bytes(rng: random.Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    to = min(len(content), at + rng.choice((1, 2, 8, 64, 1000)))
    way = rng.randrange(7)
    if way == 0:
        return content[:at]
    if way == 1:
        return content[:at] + rng.getrandbits(8 * 16).to_bytes(16, "little")[: rng.randint(1, 16)] + content[at:]
    if way == 2:
        return content[:at] + content[at:to] * rng.choice((2, 3, 50)) + content[to:]
    if way == 3:
        return content[:at] + content[to:]
    if way == 4:
        return content[:at] + rng.choice(HUGE) + content[at + rng.choice((0, 1)) :]
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 4, 32)) if content else 0):
        position = rng.randrange(len(changed))
        changed[position] = changed[position] ^ 1 << rng.randrange(8) if way == 5 else rng.randrange(256)
    return bytes(changed)


def _mutated_field(rng: random.Random, content: bytes) -> bytes:
    """Change one field, somewhere in the tree of messages, and leave all lengths around it right."""
    try:
        parts = fields_of(content)
    except ProtobufError:
        return _mutated_bytes(rng, content)
    if not parts:
        return content + field(rng.randint(1, 30), rng.choice(NUMBERS))
    index = rng.randrange(len(parts))
    chunks = [encoded(part, content[part.start : part.stop]) for part in parts]
    part, inner = parts[index], content[parts[index].start : parts[index].stop]
    if part.kind == LENGTH_DELIMITED and inner and rng.random() < 0.75:
        chunks[index] = field(part.number, _mutated_field(rng, inner))
    else:
        chunks[index] = _mutated_chunk(rng, part, inner, chunks)
    return b"".join(chunks)


def _mutated_chunk(rng: random.Random, part: Field, inner: bytes, chunks: List[bytes]) -> bytes:
    same = encoded(part, inner)
    way = rng.randrange(8)
    if way == 0:
        return b""
    if way == 1:
        return same * rng.choice((2, 3, 100))
    if way == 2:
        return field(part.number, rng.choice(NUMBERS))
    if way == 3:
        return field(rng.randint(1, 30), inner)
    if way == 4:
        return same + rng.choice(chunks)
    if way == 5:
        return varint(part.number << 3 | rng.choice((VARINT, FIXED64, 3, 4, FIXED32))) + inner
    if way == 6:
        return varint(part.number << 3 | LENGTH_DELIMITED) + rng.choice(HUGE) + inner
    return field(part.number, nested(rng.choice((1, 3, 5, 50, 1000)), rng.choice((1, 5, 6, 7))))


def nested(depth: int, number: int) -> bytes:
    """Return messages inside one another: graphs in branches, or whatever a number means."""
    content = b""
    for _ in range(min(depth, 1000)):
        content = (
            field(1, node("If", ["x"], ["y"]) + graph_attribute("then_branch", content))
            if number == 6
            else (field(number, content))
        )
    return content


def mutated_card(rng: random.Random) -> bytes:
    """Return a model card that is broken in one to four ways, as the bytes that stand in the file."""
    card: Any = json.loads(json.dumps(CARD))
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        _change(rng, card)
    text = json.dumps(card).encode()
    way = rng.randrange(12)
    if way == 0:
        return text[: rng.randrange(len(text))]
    if way == 1:
        at = rng.randrange(len(text))
        return (
            text[:at] + rng.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\\ud800", b"1e999", b"-")) + text[at:]
        )
    if way == 2:
        depth = rng.choice((10, 40, 200, 900, 980, 1000, 5000, 100_000))
        bomb = b"[" * depth + b"]" * depth if rng.random() < 0.5 else b'{"a":' * depth + b"1" + b"}" * depth
        return text.replace(rng.choice((b'"tiny"', b"20.0", b"[", b'"CC0-1.0"')), bomb, 1)
    if way == 3:
        return text.replace(
            rng.choice((b"4", b"20.0", b"12", b"0.5")), b"9" * rng.choice((19, 30, 400, 5000, 50_000)), 1
        )
    if way == 4:
        return _mutated_bytes(rng, text)
    return text


def _change(rng: random.Random, card: Any) -> None:
    """Change a value anywhere in a card, in place."""
    holder, key = rng.choice(_places(card))
    way = rng.randrange(5)
    if way == 0 and isinstance(holder, dict):
        del holder[key]
    elif way == 1 and isinstance(holder, dict):
        holder[rng.choice(("", "extra", "name", "input", "\ud800", "\x1b", key * 3))] = copy.deepcopy(holder[key])
    elif way == 2:
        value: Any = copy.deepcopy(rng.choice(VALUES))
        for _ in range(rng.choice((3, 30, 60))):
            value = [value] if rng.random() < 0.5 else {"a": value}
        holder[key] = value
    elif way == 3:
        other, name = rng.choice(_places(card))
        holder[key] = json.loads(json.dumps(other[name]))
    else:
        holder[key] = copy.deepcopy(rng.choice(VALUES))


def _places(value: Any) -> List[Tuple[Any, Any]]:
    """Return each place of a value as its holder and its key there."""
    found: List[Tuple[Any, Any]] = []
    left = [value]
    while left:
        holder = left.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        found.extend((holder, key) for key in keys)
        left.extend(holder[key] for key in keys if isinstance(holder[key], (dict, list)))
    return found or [({"": 0}, "")]
