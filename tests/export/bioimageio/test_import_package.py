import io
import json
import pickle
import zipfile

import numpy as np
import onnx
import pytest
import yaml

from cpunet.checks.synthetic import draw_field
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.segment import Options, segment_image
from tests.export.bioimageio_packages import ANSWERS, ROOT, SHIPPED, files_of, imported, npy, packed, theirs


@pytest.mark.parametrize("name", SHIPPED)
def test_an_imported_package_of_a_shipped_model_gives_the_same_file_and_labels(name, packages, tmp_path):
    original, back = ROOT / "models" / name / "model.onnx", tmp_path / "model.onnx"
    assert imported(packages / f"{name}.zip", back) == 0
    assert back.read_bytes() == original.read_bytes()
    image = draw_field((256, 256), 2, 60).image
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
    image = draw_field((256, 256), 5, 27, touching=True).image * 1000
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
