import hashlib
import io
import json
import pickle
import sys
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import pytest
import yaml

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.options import Options
from cpunet.segment import segment_image
from tests.export.bioimageio_packages import ANSWERS, ROOT, SCALE, SHIPPED, files_of, imported, npy, packed, theirs


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
    # In single precision here, in double precision at export: the last pixel that counts may be another.
    assert abs(found.output.halo - card.output.halo) <= card.input.divisible_by
    assert replace(found.output, halo=card.output.halo) == card.output
    assert (found.licence, found.authors, found.input.channels) == (card.licence, card.authors, card.input.channels)
    # No smaller than a tile of the package, which holds the halo: smaller images are padded, and differ at their frame.
    image = synthetic_field((400, 400), 8, 27, touching=True).image * 1000
    assert found.input.min_size <= min(image.shape)
    labels = [segment_image(image, load_model(path, device="cpu")).labels for path in (original, back)]
    assert labels[0].max() > 20
    np.testing.assert_array_equal(labels[1], labels[0])


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


def onnx_at(source, **more):
    return {"weights": {"onnx": {"source": source, "opset_version": 17, **more}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": "0.4.9"}, "does not follow the format"),
        ({"format_version": "9.0.0"}, "is of the format '9.0.0', and 0.3, 0.4 and 0.5 are read"),
        ({"format_version": [5]}, "is of the format '[5]'"),
        ({"type": "dataset"}, "it is a dataset"),
        ({"weights": {"torchscript": {"source": "w.pt", "pytorch_version": "2.0"}}}, "its weights are torchscript"),
        (onnx_at("w.onnx", external_data={"source": "w.onnx.data"}), "in two files"),
        (onnx_at("../w.onnx"), "lies outside it"),
        (onnx_at("/w.onnx"), "is an absolute path"),
        (onnx_at(sys.executable), "lies outside it"),
        (onnx_at("..\\w.onnx"), "lies outside it"),
        (onnx_at("C:w.onnx"), "lies outside it"),
        (onnx_at("https://example.org/w.onnx"), "nothing is fetched"),
        (onnx_at(["w.onnx"]), "weights.onnx.source"),
        (onnx_at("none.onnx"), "there is no none.onnx in it"),
        (
            {
                "documentation": {"source": "https://example.org/README.md"},
                "maintainers": [{"github_user": "x"}],
                "inputs": [],
            },
            "inputs: ",
        ),
        ({"outputs": "x"}, "outputs: "),
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


def huge_npy():
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 1, 1, 1)})
    return buffer.getvalue() + bytes(64)


HOSTILE_WHOLE = {
    "a pickle": ({"in.npy": npy(np.array([{}], object))}, "no sound .npy file"),
    "a large shape": ({"in.npy": huge_npy()}, "no sound .npy file"),
    "no tensor": ({"in.npy": pickle.dumps({})}, "no sound .npy file"),
    "too many values": ({"in.npy": npy(np.zeros((1, 1, 3000, 3000), np.uint8))}, "at most are tried"),
    "three axes": ({"in.npy": npy(np.zeros((1, 16, 16), np.float32))}, "has the shape (1, 16, 16)"),
    "no network": ({"w.onnx": b"other"}, "no sound ONNX model"),
}


@pytest.mark.parametrize(("content", "message"), HOSTILE_WHOLE.values(), ids=HOSTILE_WHOLE)
def test_a_hostile_file_with_the_right_sum_is_refused(content, message, tmp_path, capsys):
    package = theirs(tmp_path / "p.zip")
    packed(package, {**files_of(package), **content})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


def of_format_0_4(path, sha256=None):
    """Write the package of `theirs` as format 0.4 describes it."""
    files = files_of(theirs(path))
    digest = sha256 or hashlib.sha256(files["w.onnx"]).hexdigest()
    scale = {"name": "scale_range", "kwargs": {**SCALE["kwargs"], "mode": "per_sample", "axes": "yx"}}
    size = {"min": [1, 1, 8, 8], "step": [0, 0, 4, 4]}
    rdf = {
        "format_version": "0.4.9",
        "type": "model",
        "name": "theirs",
        "description": "Nuclei.",
        "license": "MIT",
        "authors": [{"name": "A. Curie"}],
        "cite": [{"text": "Curie 2020", "doi": "10.1234/5"}],
        "timestamp": "2021-01-01T00:00:00",
        "documentation": "https://example.org/README.md",
        "covers": ["https://example.org/cover.png"],
        "inputs": [
            {"name": "raw", "axes": "bcyx", "data_type": "float32", "shape": size, "preprocessing": [scale]},
        ],
        "outputs": [
            {
                "name": "out",
                "axes": "bcyx",
                "data_type": "float32",
                "shape": {"reference_tensor": "raw", "scale": [1] * 4, "offset": [0] * 4},
            }
        ],
        "test_inputs": ["in.npy"],
        "test_outputs": ["out.npy"],
        "weights": {"onnx": {"source": "w.onnx", "opset_version": 17, "sha256": digest}},
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, "rdf.yaml": json.dumps(rdf).encode()}.items():
            archive.writestr(name, content)
    return path


def test_a_package_of_format_0_4_is_taken(tmp_path):
    answers = [*ANSWERS, "--roles", "foreground", "--channels", "dna"]
    assert imported(of_format_0_4(tmp_path / "p.zip"), tmp_path / "m.onnx", *answers) == 0
    card = read_card(tmp_path / "m.onnx")
    assert (card.name, card.licence, card.citation) == ("theirs", "MIT", "Curie 2020 10.1234/5")
    assert (card.input.normalization.percentile_high, card.input.divisible_by, card.input.min_size) == (100, 4, 8)


def test_the_sum_in_a_package_of_format_0_4_counts(tmp_path, capsys):
    package = of_format_0_4(tmp_path / "p.zip", "0" * 64)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS, "--roles", "foreground") == 2
    assert f"the description promises {'0' * 64}" in capsys.readouterr().err
