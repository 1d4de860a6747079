import gc
import hashlib
import io
import json
import os
import pickle
import re
import shlex
import socket
import warnings
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import PackageError
from cpunet.export.bioimageio import package as bioimageio_package
from cpunet.export.bioimageio.package import write_bioimageio
from cpunet.model.card import METADATA_KEY
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.options import Options
from cpunet.segment import segment_image
from tests.places import REPOSITORY
from tests.tiny_onnx import changed_card, tiny_onnx

ROOT = REPOSITORY
SHIPPED = ("nuclei_fluorescence", "nuclei_generalist", "phase_cells")
SCALE = {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 0.0, "max_percentile": 99.0}}
ANSWERS = ("--diameter", "20", "--modality", "fluorescence", "--halo", "0")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Packages of the shipped models, not yet tested by bioimageio.core."""
    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bioimageio_package, "check_package", lambda path: None)
        for name in SHIPPED:
            write_bioimageio(ROOT / "models" / name / "model.onnx", folder / f"{name}.zip")
    return folder


def files_of(package):
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, files):
    """Write a package, its sums made right."""
    rdf = yaml.safe_load(files["rdf.yaml"])
    for entry in (
        rdf["weights"].get("onnx", {}),
        *[t["test_tensor"] for t in (*rdf["inputs"], *rdf["outputs"]) if "test_tensor" in t],
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


def same_network(channels=1):
    """An ONNX file that gives back its input, without a card."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", channels, "Y", "X")) for name in "ab"]
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "same", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def theirs(path, before=(SCALE,), after=(), test_output=None, channels=1, **changes):
    """Write another program's package of a network that gives back its input."""
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
                    *spaces,
                ],
                "test_tensor": {"source": "out.npy"},
                "postprocessing": list(after),
            }
        ],
        "weights": {"onnx": {"source": "w.onnx", "opset_version": 17}},
        **changes,
    }
    low, high = image.min(axis=(2, 3), keepdims=True), np.percentile(image, 99, axis=(2, 3), keepdims=True)
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


@pytest.mark.parametrize("name", SHIPPED)
def test_bioimageio_core_accepts_the_package_of_a_shipped_model(name, packages):
    from bioimageio.core import test_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # bioimageio.spec leaves files open
        summary = test_model(packages / f"{name}.zip", devices=["cpu"])
        found = [(detail.name, detail.status) for detail in summary.details]
        passed = summary.status == "passed"
        del summary
        gc.collect()
    assert passed, found
    assert ("Reproduce test outputs from test inputs (onnx)", "passed") in found
    assert sum("Run onnx inference" in step for step, _ in found) == 6


@pytest.mark.parametrize("name", SHIPPED)
def test_an_imported_package_of_a_shipped_model_gives_the_same_file_and_labels(name, packages, tmp_path):
    original, back = ROOT / "models" / name / "model.onnx", tmp_path / "model.onnx"
    assert imported(packages / f"{name}.zip", back) == 0
    assert back.read_bytes() == original.read_bytes()
    image = synthetic_field((256, 256), 2, 60).image
    options = Options(diameter_px=60)
    labels = segment_image(image, load_model(original, device="cpu"), options).labels
    assert labels.max() >= 4
    np.testing.assert_array_equal(segment_image(image, load_model(back, device="cpu"), options).labels, labels)


def test_a_package_without_a_card_gives_the_same_labels_once_its_answers_are_given(packages, tmp_path):
    original = ROOT / "models" / "nuclei_fluorescence" / "model.onnx"
    card = read_card(original)
    files = files_of(packages / "nuclei_fluorescence.zip")
    bare = onnx.load_from_string(files["model.onnx"])
    del bare.metadata_props[:]
    package = packed(tmp_path / "bare.zip", {**files, "model.onnx": bare.SerializeToString()})
    settings = card.postprocessing
    words = ["--diameter", card.input.diameter_px, "--diameter-range"]
    words += [card.input.diameter_low_px, card.input.diameter_high_px, "--modality", "fluorescence"]
    words += ["--foreground-threshold", settings.foreground_threshold, "--marker-threshold", settings.marker_threshold]
    words += ["--marker-min-size", settings.marker_min_size_px, "--min-object-size", settings.min_size_px]
    back = tmp_path / "back.onnx"
    assert imported(package, back, *words) == 0
    found = read_card(back)
    assert found.input.normalization == card.input.normalization
    assert found.output == card.output
    assert (found.licence, found.authors, found.input.channels) == (card.licence, card.authors, card.input.channels)
    image = synthetic_field((256, 256), 5, 27, touching=True).image * 1000
    labels = [segment_image(image, load_model(path, device="cpu")).labels for path in (original, back)]
    assert labels[0].max() > 20
    np.testing.assert_array_equal(labels[1], labels[0])


def test_the_test_output_is_what_cpunet_computes_on_the_whole_image(packages):
    files = files_of(packages / "nuclei_fluorescence.zip")
    image, output = (np.load(io.BytesIO(files[name])) for name in ("test_input.npy", "test_output.npy"))
    model = load_model(ROOT / "models" / "nuclei_fluorescence" / "model.onnx", device="cpu")
    probabilities = segment_image(image[0, 0], model, Options(diameter_px=model.card.input.diameter_px)).probabilities
    np.testing.assert_allclose(output[0], probabilities, atol=1e-3)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ((0, "axes"), ["channel", "y", "x"]),
        ((0, "max_percentile"), 99.0),
        ((1, "max"), 12.0),
    ],
)
def test_a_wrong_number_in_the_description_would_be_noticed(place, wrong, packages, tmp_path):
    files = files_of(packages / "nuclei_generalist.zip")
    bare = onnx.load_from_string(files["model.onnx"])
    del bare.metadata_props[:]
    rdf = yaml.safe_load(files["rdf.yaml"])
    rdf["inputs"][0]["preprocessing"][place[0]]["kwargs"][place[1]] = wrong
    changed = {"rdf.yaml": json.dumps(rdf).encode(), "model.onnx": bare.SerializeToString()}
    package = packed(tmp_path / "p.zip", {**files, **changed})
    with pytest.raises(PackageError, match="Reproduce test outputs"):
        bioimageio_package.check_package(package)


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(
        tiny_onnx(card=changed_card(licence="Ask us", citation="Noether 1918, doi 10.1234/abc.", name="ti"))
    )
    return path


def test_the_same_model_gives_the_same_bytes_and_a_valid_description(tiny, tmp_path):
    for name in ("a.zip", "b.zip"):
        write_bioimageio(tiny, tmp_path / "new" / name)  # raises unless bioimageio.core's test passes
    content = (tmp_path / "new" / "a.zip").read_bytes()
    assert content == (tmp_path / "new" / "b.zip").read_bytes()
    files = files_of(tmp_path / "new" / "a.zip")
    rdf = yaml.safe_load(files["rdf.yaml"])
    assert rdf["cite"] == [{"text": "Noether 1918, doi 10.1234/abc.", "doi": "10.1234/abc"}]
    assert "license" not in rdf
    assert "Ask us" in files["README.md"].decode()
    assert rdf["name"] == "model ti"


def test_a_package_that_bioimageio_refuses_is_not_written(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(bioimageio_package, "normalize", lambda image, normalization: image / 300)
    with pytest.raises(PackageError, match="Reproduce test outputs"):
        write_bioimageio(tiny, tmp_path / "wrong.zip")
    assert not list(tmp_path.glob("*wrong*"))


@pytest.mark.parametrize(
    "sample",
    [
        np.random.default_rng(0).integers(0, 4096, (100, 700)).astype(np.uint16),
        np.random.default_rng(0).random((300, 300, 1)),
    ],
    ids=["narrow uint16", "one channel"],
)
def test_an_image_of_the_user_becomes_the_test_input(sample, tiny, tmp_path):
    write_bioimageio(tiny, tmp_path / "s.zip", sample)
    found = np.load(io.BytesIO(files_of(tmp_path / "s.zip")["test_input.npy"]))
    assert found.shape == (1, 1, 256, 256)
    assert np.isin(found, np.asarray(sample, np.float32)).all()


def test_an_image_that_does_not_fit_is_refused(tiny, tmp_path, capsys):
    np.save(tmp_path / "x.npy", 0)
    assert (
        main(["export", str(tiny), "--bioimageio", str(tmp_path / "s.zip"), "--sample", str(tmp_path / "x.npy")]) == 2
    )
    assert "cannot be read as an image" in capsys.readouterr().err
    with pytest.raises(Exception, match="the model takes nuclei"):
        write_bioimageio(tiny, tmp_path / "s.zip", np.zeros((300, 300, 3)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.onnx"], "Give --bioimageio"),
        (["model.onnx", "--bioimageio", "a.zip", "-o", "b.onnx"], "no -o"),
        (["weights.safetensors", "--bioimageio", "a.zip"], "with -o"),
        (["model.onnx", "--bioimageio", "a.tar"], "must end in .zip"),
    ],
)
def test_export_says_which_argument_is_missing(words, message, capsys):
    assert main(["export", *words]) == 2
    assert message in capsys.readouterr().err


def test_weights_are_exported_and_packed_at_once(weights, tmp_path):
    output, package = tmp_path / "out" / "model.onnx", tmp_path / "out" / "package.zip"
    assert main(["export", str(weights), "-o", str(output), "--bioimageio", str(package)]) == 0
    assert files_of(package)["model.onnx"] == output.read_bytes()
    assert main(["import-bioimageio", str(package), "-o", str(tmp_path / "back.onnx")]) == 0
    assert (tmp_path / "back.onnx").read_bytes() == output.read_bytes()


def clip(**limits):
    return {"id": "clip", "kwargs": limits}


def linear(gain, offset):
    return {"id": "scale_linear", "kwargs": {"gain": gain, "offset": offset}}


FLOAT = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}


@pytest.mark.parametrize(
    ("before", "after", "compute"),
    [
        ([FLOAT, SCALE, clip(min=-1.0, max=1.0), FLOAT], [], lambda x: np.minimum(x, 1)),
        ([SCALE, clip(min=0.25)], [clip(max=0.9)], lambda x: np.clip(x, 0.25, 0.9)),
        ([SCALE, clip(min=0.0, max=1.0), linear(0.5, 0.125)], [], lambda x: np.clip(x, 0, 1) * 0.5 + 0.125),
        ([SCALE, linear(4.0, -2.0)], [{"id": "sigmoid"}, FLOAT], lambda x: 1 / (1 + np.exp(2 - 4 * x))),
        ([linear(0.01, 0.0)], [{"id": "sigmoid"}], lambda x: 1 / (1 + np.exp(-x))),
    ],
    ids=["clip in the card", "clips in the network", "clip then linear", "linear, sigmoid", "no scale_range"],
)
def test_steps_are_done_as_the_package_asks(before, after, compute, tmp_path):
    unscaled = SCALE not in before
    image = np.arange(192, dtype=np.float32)

    def expected(scaled):
        return compute(image.reshape(scaled.shape) * 0.01 if unscaled else scaled)

    package = theirs(tmp_path / "p.zip", before, after, expected)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    card = read_card(tmp_path / "m.onnx")
    assert card.input.normalization.kind == ("none" if unscaled else "percentile")
    assert (card.input.divisible_by, card.input.min_size) == (4, 8)
    assert card.citation == "Curie 2020 10.1234/5"


def test_softmax_is_over_the_channels(tmp_path):
    def expected(scaled):
        return np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)

    package = theirs(tmp_path / "p.zip", [SCALE], [{"id": "softmax"}], expected, channels=3)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert read_card(tmp_path / "m.onnx").output.roles == ("foreground", "boundary", "interior")


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ([{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}], [], "zero_mean_unit_variance"),
        ([SCALE, {"id": "zero_mean_unit_variance"}], [], "zero_mean_unit_variance"),
        ([{"id": "scale_range", "kwargs": {"axes": ["batch", "y", "x"]}}], [], "scale_range over batch"),
        ([{"id": "scale_range"}], [], "scale_range over all axes"),
        ([{"id": "scale_range", "kwargs": {"axes": ["channel", "y", "x"]}}], [], "scale_range over channel, x, y"),
        ([{"id": "scale_range", "kwargs": {"axes": ["y", "x"], "eps": 0.1}}], [], "eps 0.1"),
        ([{"id": "scale_range", "kwargs": {"axes": ["y", "x"], "reference_tensor": "z"}}], [], "another tensor"),
        ([SCALE, SCALE], [], "scale_range"),
        ([SCALE, clip(min_percentile=1.0)], [], "clip with"),
        ([{"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}], [], "ensure_dtype to 'uint8'"),
        ([SCALE, linear([1.0, 2.0, 3.0], 0.0)], [], "scale_linear.gain"),
        ([SCALE, linear(float("nan"), 0.0)], [], "scale_linear.gain"),
        ([SCALE], [{"id": "binarize", "kwargs": {"threshold": 0.5}}], "binarize"),
        ([SCALE], [{"id": "stardist_postprocessing"}], "stardist_postprocessing"),
        ([SCALE], [{"kwargs": {}}], "without an id"),
        ([SCALE], "sigmoid", "no list"),
    ],
)
def test_a_step_that_is_not_implemented_is_named(before, after, named, tmp_path, capsys):
    package = theirs(tmp_path / "p.zip", before, [], channels=3)
    files = files_of(package)
    rdf = yaml.safe_load(files["rdf.yaml"])
    rdf["outputs"][0]["postprocessing"] = after
    packed(package, {**files, "rdf.yaml": json.dumps(rdf).encode()})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


def test_pixels_that_the_package_would_leave_darker_are_spoken_of(tmp_path, capsys):
    scale = {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 1.0, "max_percentile": 99.0}}

    def expected(scaled):
        low, high = np.percentile(scaled, (1, 99))
        return (scaled - low) / (high - low)

    package = theirs(tmp_path / "p.zip", [scale], [], expected)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert "darker than -1" in capsys.readouterr().out


def test_a_test_output_that_is_not_reproduced_is_refused(tmp_path, capsys):
    package = theirs(tmp_path / "p.zip", test_output=lambda scaled: scaled + 0.01)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert "disagree" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.zip"]


def test_what_the_package_does_not_say_is_asked_for_at_once(tmp_path, capsys):
    assert imported(theirs(tmp_path / "p.zip"), tmp_path / "m.onnx") == 2
    error = capsys.readouterr().err
    assert "--diameter" in error
    assert "--modality" in error
    assert "--licence" not in error


def test_a_card_that_contradicts_its_package_is_refused(packages, tmp_path, capsys):
    files = files_of(packages / "nuclei_fluorescence.zip")
    changed = files["rdf.yaml"].replace(b"max_percentile: 99.8", b"max_percentile: 99.0")
    assert changed != files["rdf.yaml"]
    package = packed(tmp_path / "p.zip", {**files, "rdf.yaml": changed})
    assert imported(package, tmp_path / "m.onnx") == 2
    assert "Ask its author" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": "0.4.9"}, "update-format"),
        ({"type": "dataset"}, "it is a dataset"),
        ({"weights": {"torchscript": {"source": "w.pt"}}}, "its weights are torchscript"),
        ({"weights": {"onnx": {"source": "w.onnx", "external_data": {"source": "w.data"}}}}, "in two files"),
        ({"weights": {"onnx": {"source": "../w.onnx"}}}, "lies outside it"),
        ({"weights": {"onnx": {"source": "/w.onnx"}}}, "lies outside it"),
        ({"weights": {"onnx": {"source": "..\\w.onnx"}}}, "lies outside it"),
        ({"weights": {"onnx": {"source": "C:w.onnx"}}}, "lies outside it"),
        ({"weights": {"onnx": {"source": "https://example.org/w.onnx"}}}, "nothing is fetched"),
        ({"weights": {"onnx": {"source": ["w.onnx"]}}}, "does not say in which file"),
        ({"weights": {"onnx": {"source": "none.onnx"}}}, "there is no none.onnx in it"),
        ({"inputs": []}, "0 inputs"),
        ({"outputs": "x"}, "no outputs"),
    ],
)
def test_a_package_that_cannot_be_taken_says_why(changes, message, tmp_path, capsys):
    package = theirs(tmp_path / "p.zip")
    files = files_of(package)
    rdf = {**yaml.safe_load(files["rdf.yaml"]), **changes}
    with zipfile.ZipFile(package, "w") as archive:
        for name, content in {**files, "rdf.yaml": json.dumps(rdf).encode()}.items():
            archive.writestr(name, content)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err


def test_a_link_out_of_the_folder_is_not_followed(tmp_path, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in files_of(theirs(tmp_path / "p.zip")).items():
        (folder / name).write_bytes(content)
    assert imported(folder, tmp_path / "m.onnx", *ANSWERS) == 0
    os.rename(folder / "w.onnx", tmp_path / "w.onnx")
    (folder / "w.onnx").symlink_to(tmp_path / "w.onnx")
    assert imported(folder / "rdf.yaml", tmp_path / "n.onnx", *ANSWERS) == 2
    assert "leads out of the folder" in capsys.readouterr().err


def huge_npy():
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 1, 1, 1)})
    return buffer.getvalue() + bytes(64)


HOSTILE = {
    "a description too large": ({"rdf.yaml": b"#" * 2**21}, "too large"),
    "aliases": ({"rdf.yaml": b"a: &a [1]\nb: [*a, *a]\n"}, "YAML aliases"),
    "an object of Python": ({"rdf.yaml": b"!!python/object/apply:os.getcwd []"}, "not readable YAML"),
    "nesting": ({"rdf.yaml": b"[" * 200_000}, "nested more than"),
    "no mapping": ({"rdf.yaml": b"- 1"}, "not a mapping"),
    "no text": ({"rdf.yaml": b"\xff\xfe\x00\xd8"}, "not readable YAML"),
    "other bytes": ({"w.onnx": b"other"}, "promises"),
}
HOSTILE_WHOLE = {
    "a pickle": ({"in.npy": npy(np.array([{}], object))}, "no sound .npy file"),
    "a large shape": ({"in.npy": huge_npy()}, "no sound .npy file"),
    "no tensor": ({"in.npy": pickle.dumps({})}, "no sound .npy file"),
    "too many values": ({"in.npy": npy(np.zeros((1, 1, 3000, 3000), np.uint8))}, "at most are tried"),
    "three axes": ({"in.npy": npy(np.zeros((1, 16, 16), np.float32))}, "has the shape (1, 16, 16)"),
    "no network": ({"w.onnx": b"other"}, "no sound ONNX model"),
}


@pytest.mark.parametrize(("content", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused(content, message, tmp_path, capsys):
    files = {**files_of(theirs(tmp_path / "p.zip")), **content}
    with zipfile.ZipFile(tmp_path / "p.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in files.items():
            archive.writestr(name, held)
    assert imported(tmp_path / "p.zip", tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("content", "message"), HOSTILE_WHOLE.values(), ids=HOSTILE_WHOLE)
def test_a_hostile_file_with_the_right_sum_is_refused(content, message, tmp_path, capsys):
    package = theirs(tmp_path / "p.zip")
    packed(package, {**files_of(package), **content})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


def many_entries(path):
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:010}", b"")


def encrypted(path):
    content = bytearray(theirs(path).read_bytes())
    for place in [match.start() for match in re.finditer(b"PK\x01\x02", content)]:
        content[place + 8] |= 1
    path.write_bytes(content)


def cut_short(path):
    path.write_bytes(theirs(path).read_bytes()[:-40])


def damaged(path):
    content = theirs(path).read_bytes()
    path.write_bytes(content.replace(b"format_version", b"format_versiom"))


def in_bzip2(path):
    files = files_of(theirs(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (many_entries, "list of contents is too long"),
        (encrypted, "encrypted"),
        (cut_short, "no sound zip archive"),
        (damaged, "cannot be read"),
        (in_bzip2, "compressed in an unusual way"),
        (lambda path: path.write_bytes(b""), "no sound zip archive"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "there is no rdf.yaml"),
        (lambda path: None, "no such file or folder"),
    ],
)
def test_a_hostile_archive_is_refused(make, message, tmp_path, capsys):
    make(tmp_path / "p.zip")
    assert imported(tmp_path / "p.zip", tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err


def test_the_archive_may_hold_the_package_in_a_folder(tmp_path):
    files = files_of(theirs(tmp_path / "p.zip"))
    with zipfile.ZipFile(tmp_path / "q.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(f"inner/{name}", content)
    assert imported(tmp_path / "q.zip", tmp_path / "m.onnx", *ANSWERS) == 0


def test_the_commands_of_the_document_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    theirs(tmp_path / "theirs.zip", channels=2)
    text = (ROOT / "docs" / "bioimageio.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    cpunet (.+)$", text, re.M)
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command)) == 0, capsys.readouterr().err
    assert json.loads(onnx_metadata("imported/model.onnx")[METADATA_KEY])["name"] == "nuclei_fluorescence"
    assert read_card(Path("theirs.onnx")).output.roles == ("foreground", "boundary")


def onnx_metadata(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
