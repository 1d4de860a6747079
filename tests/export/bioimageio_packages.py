"""Packages of bioimage.io, read, written and changed."""

import hashlib
import io
import json
import socket
import zipfile

import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper

from cpunet.__main__ import main
from tests.places import REPOSITORY

ROOT = REPOSITORY


SHIPPED = ("nuclei_fluorescence", "nuclei_generalist", "phase_cells")


SCALE = {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 0.0, "max_percentile": 100.0}}


ANSWERS = ("--diameter", "20", "--modality", "fluorescence", "--halo", "0")


def files_of(package):
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, files):
    """Write a package, its sums made right."""
    rdf = yaml.safe_load(files["rdf.yaml"])
    for entry in (
        rdf["weights"].get("onnx", {}),
        *[t["test_tensor"] for t in (*rdf["inputs"], *rdf["outputs"]) if t.get("test_tensor")],
    ):
        if entry.get("source") in files:
            entry["sha256"] = hashlib.sha256(files[entry["source"]]).hexdigest()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, "rdf.yaml": json.dumps(rdf).encode()}.items():
            archive.writestr(name, content)
    return path


def npy(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def same_network(channels=1, shape=None, kind=TensorProto.FLOAT, opset=17):
    """An ONNX file that gives back its input, without a card."""
    shape = shape or ("N", channels, "Y", "X")
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in "ab"]
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "same", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return model.SerializeToString()


def older(path, before=(), after=(), test_output=lambda image: image, roles=1, shape=None, halo=None, network=None):
    """Write a package of format 0.4 of a network that gives back its input, or another."""
    image = np.arange(12 * 16, dtype=np.float32).reshape(1, 1, 12, 16)
    free = {"reference_tensor": "raw", "scale": [1, 0, 1, 1], "offset": [0, roles / 2, 0, 0]}
    rdf = {
        "format_version": "0.4.10",
        "type": "model",
        "name": "older",
        "description": "Nuclei.",
        "license": "MIT",
        "authors": [{"name": "A. Curie"}],
        "cite": [{"text": "Curie 2020", "doi": "10.1234/5"}],
        "documentation": "README.md",
        "timestamp": "2022-02-02T00:00:00+00:00",
        "inputs": [
            {
                "name": "raw",
                "axes": "bcyx",
                "data_type": "float32",
                "shape": shape or {"min": [1, 1, 8, 8], "step": [0, 0, 4, 4]},
                "preprocessing": list(before),
            }
        ],
        "outputs": [
            {
                "name": "out",
                "axes": "bcyx",
                "data_type": "float32",
                "shape": [shape[0], roles, *shape[2:]] if shape else free,
                **({"halo": halo} if halo else {}),
                "postprocessing": list(after),
            }
        ],
        "test_inputs": ["in.npy"],
        "test_outputs": ["out.npy"],
        "weights": {"onnx": {"source": "w.onnx", "opset_version": 12}},
    }
    files = {
        "rdf.yaml": json.dumps(rdf).encode(),
        "w.onnx": network or same_network(shape=shape, opset=12),
        "README.md": b"# Older",
        "in.npy": npy(image),
        "out.npy": npy(test_output(image).astype(np.float32)),
    }
    return packed(path, files)


def standard(image):
    """Shift to mean 0 and scale to standard deviation 1, each channel of (N, C, Y, X) by itself."""
    mean, deviation = (image.mean(axis=(2, 3), keepdims=True), image.std(axis=(2, 3), keepdims=True))
    return (image - mean) / deviation


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def changed(package, **parts):
    """Change a package: `files` by name, `rdf` top fields, and fields of its `input` and `output`."""
    files = {**files_of(package), **parts.get("files", {})}
    rdf = {**yaml.safe_load(files["rdf.yaml"]), **parts.get("rdf", {})}
    for name in ("input", "output"):
        rdf[f"{name}s"][0].update(parts.get(name, {}))
    return packed(package, {**files, "rdf.yaml": json.dumps(rdf).encode()})


def theirs(path, before=(SCALE,), after=(), test_output=None, channels=1, **changes):
    """Write another program's package of a network that gives back its input, cut off at 0 and 1."""
    spaces = [{"type": "space", "id": axis, "size": {"min": 8, "step": 4}} for axis in "yx"]
    names = [f"c{number}" for number in range(channels)]
    image = np.arange(channels * 12 * 16, dtype=np.float32).reshape(1, channels, 12, 16)
    rdf = {
        "format_version": "0.5.3",
        "type": "model",
        "name": "theirs",
        "description": "Nuclei.",
        "license": "MIT",
        "authors": [{"name": "A. Curie"}],
        "cite": [{"text": "Curie 2020", "doi": "10.1234/5"}],
        "inputs": [
            {
                "id": "raw",
                "axes": [{"type": "batch"}, {"type": "channel", "channel_names": names}, *spaces],
                "test_tensor": {"source": "in.npy"},
                "preprocessing": list(before),
            }
        ],
        "outputs": [
            {
                "id": "out",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": ["foreground", "boundary", "interior"][:channels]},
                    *[{"type": "space", "id": a, "size": {"tensor_id": "raw", "axis_id": a}} for a in "yx"],
                ],
                "test_tensor": {"source": "out.npy"},
                "postprocessing": list(after),
            }
        ],
        "weights": {"onnx": {"source": "w.onnx", "opset_version": 17}},
        **changes,
    }
    low, high = image.min(axis=(2, 3), keepdims=True), image.max(axis=(2, 3), keepdims=True)
    scaled = (image - low) / (high - low)
    files = {
        "rdf.yaml": json.dumps(rdf).encode(),
        "w.onnx": same_network(channels),
        "in.npy": npy(image),
        "out.npy": npy((scaled if test_output is None else test_output(scaled)).astype(np.float32)),
    }
    return packed(path, files)


def imported(package, output, *words):
    return main(["import-bioimageio", str(package), "-o", str(output), *map(str, words)])


def clip(**limits):
    return {"id": "clip", "kwargs": limits}


def linear(gain, offset):
    return {"id": "scale_linear", "kwargs": {"gain": gain, "offset": offset}}


FLOAT = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
