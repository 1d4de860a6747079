"""A model file is a stranger's data: what is refused before onnxruntime sees it, and that nothing breaks the reader."""

import json
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from cpunet.errors import ModelError
from cpunet.model import session
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.onnx_reader.model_file import LARGEST_FILE_BYTES, read_model_file
from cpunet.onnx_reader.safety import MOST_FIELDS, MOST_NODES, check_onnx, listed_network
from tests.places import REPOSITORY
from tests.tiny_onnx import (
    attribute,
    changed_card,
    field,
    graph_attribute,
    graph_of,
    node,
    onnx_of,
    quantized_onnx,
    raw_tensor,
    tensor,
    tensor_attribute,
    tiny_onnx,
    value_info,
    varint,
)

SHIPPED = sorted((REPOSITORY / "models").glob("*/model.onnx"))
INT64 = 7
RELU = node("Relu", ["image"], ["probabilities"])
WEIGHT = tensor("w", [1], [0.5])


def of_nodes(*nodes, tensors=(), **more):
    return onnx_of(graph_of([*nodes], tensors), **more)


def of_tensor(content):
    return of_nodes(RELU, tensors=[content])


def int64s(name, values):
    return raw_tensor(name, INT64, [len(values)], struct.pack(f"<{len(values)}q", *values))


def elsewhere(location):
    return field(13, field(1, "location") + field(2, location)) + field(14, 1)


def enlarged(operator, position, values, known=int64s):
    """Return a network whose one node has a list of values, which stand in the file, as one of its inputs."""
    inputs = [*["image", "", ""][:position], "by"]
    return of_nodes(node(operator, inputs, ["probabilities"]), tensors=[known("by", values)])


def chain(count):
    names = ["image", *[f"v{index}" for index in range(count - 1)], "probabilities"]
    return [node("Relu", [given], [made]) for given, made in zip(names, names[1:])]


def declared(number, name, kind):
    """Encode an input (11) or output (12) of an encoded TypeProto."""
    return field(number, field(1, name) + field(2, kind))


def in_branch(content):
    return node("If", ["image"], ["probabilities"]) + graph_attribute("then_branch", graph_of([content]))


def floats(name, values):
    return tensor(name, [len(values)], values)


REFUSED = {
    "custom operator": (of_nodes(RELU + field(7, "evil.ops")), r"operator 'Relu' of 'evil\.ops', a custom operator"),
    "onnxruntime's operator that reads files": (
        of_nodes(node("EPContext", ["image"], ["probabilities"]) + field(7, "com.microsoft")),
        "'EPContext' of 'com.microsoft', a custom operator",
    ),
    "loop": (
        of_nodes(node("Loop", ["image"], ["probabilities"])),
        "the operator 'Loop' of ONNX; it is not among those",
    ),
    "scan": (
        of_nodes(node("Scan", ["image"], ["probabilities"]) + field(7, "ai.onnx")),
        "the operator 'Scan' of ONNX; it is not among those",
    ),
    "condition": (of_nodes(in_branch(RELU)), "the operator 'If', which holds a network of its own"),
    "attribute that is not known": (of_nodes(RELU + attribute("pads", [1])), "has the attribute 'pads'"),
    "attribute without a type": (of_nodes(RELU + field(5, field(1, "alpha") + field(3, 1))), "of the type 0"),
    "function": (of_nodes(RELU, more=field(25, field(1, "Relu"))), "defines 1 operators of its own"),
    "training": (of_nodes(RELU, more=field(20, b"")), "training procedure"),
    "session options": (
        of_nodes(RELU, more=field(14, field(1, "ort_config") + field(2, "{}"))),
        "options for onnxruntime",
    ),
    "too many nodes": (of_nodes(*[RELU] * (MOST_NODES + 1)), f"has {MOST_NODES + 1} nodes; {MOST_NODES} at most"),
    "too many fields": (of_nodes(RELU + field(1, "") * MOST_FIELDS), f"more than {MOST_FIELDS} fields"),
    "sparse weights": (onnx_of(graph_of([RELU]) + field(15, b"")), "holds sparse weights"),
    "weights in another file": (of_tensor(WEIGHT + elsewhere("weights.bin")), r"another file \('weights.bin'\)"),
    "weights outside the folder": (of_tensor(WEIGHT + elsewhere("../../secret")), r"another file \('../../secret'\)"),
    "weights at an address in memory": (
        of_tensor(WEIGHT + elsewhere("*/_ORT_MEM_ADDR_/*")),
        r"another file \('\*/_ORT_MEM_ADDR_/\*'\)",
    ),
    "weights elsewhere, and not where": (of_tensor(WEIGHT + field(14, 1)), "another file"),
    "weights elsewhere, to a reader of 32 bits": (of_tensor(WEIGHT + field(14, 2**32 + 1)), "another file"),
    "weights' place without the mark": (of_tensor(WEIGHT + elsewhere("a")[: -len(field(14, 1))]), "another file"),
    "constant in another file": (
        of_nodes(node("Constant", [], ["c"]) + tensor_attribute("value", WEIGHT + elsewhere("a")), RELU),
        "another file",
    ),
    "tensor larger than its bytes": (
        of_tensor(tensor("w", [10**6, 10**6], [1.0])),
        "4000000000000 bytes, and the file holds 4",
    ),
    "tensor smaller than its bytes": (of_tensor(tensor("w", [1], [1.0, 2.0])), "4 bytes, and the file holds 8"),
    "tensor whose size overflows 64 bits": (of_tensor(tensor("w", [2**62, 4], [])), "file holds 0"),
    "tensor of varints larger than its bytes": (
        of_tensor(field(1, 100) + field(2, INT64) + field(8, "w") + field(7, b"\1\2\3")),
        "100 bytes, and the file holds 3",
    ),
    "weights of more than can be loaded": (
        of_nodes(RELU, tensors=[field(1, 2**20) + field(2, 15) + field(7, bytes(2**20))] * 129),
        f"weights would take {129 * 2**24} bytes",
    ),
    "negative size": (of_tensor(tensor("w", [2**64 - 1], [])), r"shape \(-1,\)"),
    "nine dimensions": (of_tensor(tensor("w", [1] * 9, [1.0])), "8 dimensions at most"),
    "texts as weights": (of_tensor(field(1, 1) + field(2, 8) + field(8, "w") + field(6, "x")), "of the type 8"),
    "values twice": (of_tensor(WEIGHT + field(7, b"\1")), "holds its values twice"),
    "segments": (of_tensor(WEIGHT + field(3, b"")), "segments"),
    "two networks": (of_nodes(RELU, more=field(7, graph_of([RELU]))), "occurs twice"),
    "operator twice": (of_nodes(RELU + field(4, "Loop")), "occurs twice"),
    "attribute twice": (of_nodes(RELU + attribute("pads", [10**9]) + attribute("pads", [1])), "occurs twice"),
    "no network": (field(1, 8), "holds no network"),
    "tag beyond 32 bits": (onnx_of(graph_of([RELU]) + varint(2**35 | 15 << 3 | 2) + b"\0"), "begins no field"),
    "length beyond the file": (tiny_onnx() + varint(7 << 3 | 2) + varint(2**63 - 1), "and 0 are left"),
    "group": (tiny_onnx() + varint(7 << 3 | 3), "begins no field"),
    "name that is no text": (of_nodes(RELU + field(3, b"\xff")), "is no UTF-8"),
    "no input": (onnx_of(graph_of([RELU], takes=())), "has 0 inputs and 1 outputs"),
    "input that is a weight": (onnx_of(graph_of([RELU], [tensor("image", [1], [1.0])])), "has 0 inputs"),
    "two inputs": (onnx_of(graph_of([RELU], takes=("image", "mask"))), "has 2 inputs and 1 outputs"),
    "input of whole numbers": (
        onnx_of(field(1, RELU) + declared(11, "i", field(1, field(1, 2))) + field(12, value_info("p", 1, 0))),
        "tensor of uint8; a float32",
    ),
    "output that is no tensor": (
        onnx_of(field(1, RELU) + field(11, value_info("i", 1, 0)) + declared(12, "p", field(4, b""))),
        "output 'p' is no tensor",
    ),
    "huge input": (tiny_onnx(size=10**6), "declares a size of 1000000; the limit is 16384"),
}


def written(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return path


def read_and_check(path):
    check_onnx(read_model_file(path))


@pytest.fixture
def no_session(monkeypatch):
    """Fail if anything of a file reaches onnxruntime."""

    def never():
        raise AssertionError("onnxruntime was asked to open the file")

    monkeypatch.setattr(session, "import_onnxruntime", never)
    monkeypatch.setattr(session, "is_trusted", lambda sha256: False)


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_safe_is_refused_before_onnxruntime_sees_it(tmp_path, no_session, content, message):
    path = written(tmp_path, content)
    with pytest.raises(ModelError, match=message) as caught:
        read_and_check(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).rstrip().endswith(".")
    with pytest.raises(ModelError):
        load_model(path)


def test_a_file_of_another_program_names_itself_in_plain_characters(tmp_path):
    with pytest.raises(ModelError) as caught:
        check_onnx(read_model_file(written(tmp_path, of_nodes(RELU + field(7, "\x1b[2J" + "x" * 500)))))
    assert str(caught.value).replace(str(tmp_path), "").isprintable()
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


ACCEPTED = {
    "drawn": tiny_onnx(),
    "three channels": tiny_onnx(channels=3, out_channels=2),
    "quantized": quantized_onnx(),
    "domains that are named and not used": of_nodes(RELU, domains=("", "ai.onnx.ml", "pkg.onnxscript.torch_lib")),
    "many nodes": of_nodes(*chain(2000)),
    "weights listed as inputs": onnx_of(graph_of([RELU], [WEIGHT], takes=("image", "w"))),
    "empty tensor": of_tensor(tensor("roi", [0], [])),
    "scalar": of_tensor(tensor("w", [], [1.0])),
    "four bits": of_tensor(raw_tensor("w", 22, [3], b"\1\2")),
    "packed sizes": of_tensor(field(1, b"\1\2") + field(2, 1) + field(8, "w") + field(9, bytes(8))),
    "packed numbers": of_tensor(field(1, 3) + field(2, INT64) + field(8, "w") + field(7, b"\1\2\3")),
    "enlarged by two": enlarged("Resize", 2, [1.0, 1.0, 2.0, 2.0], floats),
    "mirrored by a halo": enlarged("Pad", 1, [0, 0, 512, 512, 0, 0, 512, 512]),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
def test_what_networks_need_is_let_through(tmp_path, content):
    check_onnx(read_model_file(written(tmp_path, content)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_models_pass_in_no_time(path):
    file = read_model_file(path)
    check_onnx(file)
    taken = []
    for _ in range(5):
        began = time.process_time()
        check_onnx(file)
        taken.append(time.process_time() - began)
    assert min(taken) < 0.05


def test_a_quantized_model_passes_and_runs(tmp_path):
    batch = np.linspace(0, 1, 16, dtype=np.float32).reshape(1, 1, 4, 4)
    expected = 1 / (1 + np.exp(4 - 14 * batch))
    found = load_model(written(tmp_path, quantized_onnx()), "cpu").predict(batch)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_file_beyond_two_gigabytes_is_refused_unread(tmp_path):
    path = tmp_path / "model.onnx"
    with path.open("wb") as stream:
        stream.truncate(LARGEST_FILE_BYTES + 1)
    with pytest.raises(ModelError, match=f"has {LARGEST_FILE_BYTES + 1} bytes"):
        read_model_file(path)


def test_a_file_of_nothing_but_fields_is_refused_soon(tmp_path):
    path = written(tmp_path, field(1, 8) * 5_000_000)
    began = time.process_time()
    for action in (read_card, read_and_check):
        with pytest.raises(ModelError, match=r"more than \d+ fields"):
            action(path)
    assert time.process_time() - began < 10


def test_metadata_is_bounded_in_all_of_its_entries(tmp_path):
    entry = field(14, field(1, "x") + field(2, bytes(9 * 2**20)))
    with pytest.raises(ModelError, match="longer than"):
        read_card(written(tmp_path, tiny_onnx() + entry * 4))


def test_a_file_that_cannot_be_read_is_a_model_error(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, tiny_onnx())
    monkeypatch.setattr(Path, "open", refuse)
    for action in (read_card, read_model_file):
        with pytest.raises(ModelError, match="Permission denied"):
            action(path)


def test_the_check_is_made_once_for_an_open_model(tiny_model, monkeypatch):
    checked = []
    monkeypatch.setattr(session, "listed_network", lambda file: checked.append(1) or listed_network(file))
    first = load_model(tiny_model, "cpu")
    assert load_model(tiny_model, "cpu") is first
    assert len(checked) == 1
    tiny_model.write_bytes(tiny_onnx(changed_card(name="other one")))
    load_model(tiny_model, "cpu")
    assert len(checked) == 2


def test_no_name_of_a_file_makes_onnxruntime_read_another_format(tmp_path):
    path = tmp_path / "model.ort"
    path.write_bytes(tiny_onnx())
    assert load_model(path, "cpu").predict(np.zeros((1, 1, 8, 8), np.float32)).shape == (1, 1, 8, 8)


def test_a_file_cannot_choose_the_options_of_its_session(tmp_path, monkeypatch):
    """By its `ort_config` onnxruntime would write a profile into the folder that it runs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORT_LOAD_CONFIG_FROM_MODEL", "1")
    options = json.dumps({"session_options": {"enable_profiling": 1}})
    path = written(tmp_path, tiny_onnx() + field(14, field(1, "ort_config") + field(2, options)))
    with pytest.raises(ModelError, match="ort_config"):
        load_model(path, "cpu")
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_mutated_files_and_cards_are_read_or_refused(tmp_path, capsys):
    pytest.importorskip("resource", reason="limits of time and memory need a Unix")
    from benchmarks.model_files.fuzz import fuzz

    assert fuzz(seed=1, first=0, count=2000, sample=2, folder=tmp_path) == []
    report = capsys.readouterr().out
    assert "card passed, network refused" in report
    assert "card refused, network passed" in report
