import re

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.segment import segment_image
from cpunet.steps.outline_shift import shift_outlines


def calibrate(*words):
    return main(["calibrate", *map(str, words)])


@pytest.fixture
def data_set(tmp_path, tiny_model):
    """Three images, in images/ and labels/, whose objects are drawn 2 pixels larger than the model draws them."""
    return write_set(tmp_path / "mine", tiny_model, 2)


def write_set(folder, tiny_model, shift_px):
    model = load_model(tiny_model)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for seed, name in enumerate("abc"):
        field = synthetic_field((130, 160), columns=5, diameter_px=20, seed=seed).image
        image = (ndimage.gaussian_filter(field, 1.5) * 4095).astype(np.uint16)
        labels = shift_outlines(segment_image(image, model).labels, shift_px).astype(np.uint16)
        tifffile.imwrite(str(folder / "images" / f"{name}.tif"), image)
        tifffile.imwrite(str(folder / "labels" / f"{name}.tif"), labels)
    return folder


def test_a_model_file_is_written_that_draws_objects_as_they_are_labeled(data_set, tiny_model, tmp_path, capsys):
    output = tmp_path / "out" / "mine.onnx"
    assert calibrate(tiny_model, "--data", data_set, "-o", output, "--device", "cpu") == 0
    said = capsys.readouterr().out
    assert re.search(r"^tiny 1\.\S+ on 3 images, \d+ objects; the images were held out in turn$", said, flags=re.M)
    gains = re.search(r"^Gain of the mean F1: \+(\S+); .* \+(\S+) to \+(\S+)\.$", said, flags=re.M)
    assert float(gains[2]) <= float(gains[1]) <= float(gains[3])
    assert re.search(r"^outlines moved outward, pixels +0 +2 +2 2 2$", said, flags=re.M)
    assert f"Written: {output}" in said
    card = read_card(output)
    assert (card.name, card.postprocessing.outline_shift_px) == ("mine", 2)
    words = re.search(r"cpunet (segment IMAGE .*)$", said, flags=re.M)[1].replace("IMAGE ...", "IMAGE").split()
    image, folder = str(data_set / "images" / "a.tif"), str(tmp_path / "results")
    assert main([{"IMAGE": image, "FOLDER": folder}.get(word, word) for word in words]) == 0
    found = tifffile.imread(str(tmp_path / "results" / "a_labels.tif")) > 0
    truth = tifffile.imread(str(data_set / "labels" / "a.tif")) > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.95


def test_without_an_output_nothing_is_written(data_set, tiny_model, capsys):
    assert calibrate(tiny_model, "--data", data_set) == 0
    assert "Nothing was written. To use these settings, add -o FILE.onnx" in capsys.readouterr().out


def test_no_file_is_written_where_nothing_is_gained(tmp_path, tiny_model, capsys):
    data_set, output = write_set(tmp_path / "mine", tiny_model, 0), tmp_path / "mine.onnx"
    assert calibrate(tiny_model, "--data", data_set) == 0
    assert calibrate(tiny_model, "--data", data_set, "-o", output) == 1
    said = capsys.readouterr().out
    assert "Keep the model's own settings" in said
    assert f"{output} was not written." in said
    assert not output.exists()


def test_files_folders_and_patterns_may_be_given_with_labels(data_set, tiny_model, capsys):
    images, labels = data_set / "images", data_set / "labels"
    for data in ([images / "a.tif", "--labels", labels / "a.tif"], [images / "a*", "--labels", labels / "a*"]):
        assert calibrate(tiny_model, "--data", *data) == 0
        assert "on 1 image, " in (said := capsys.readouterr().out)
        assert "quarters of the images were held out in turn" in said
    assert calibrate(tiny_model, "--data", images, "--labels", labels, "--first", "2") == 0
    assert "on 2 images, " in capsys.readouterr().out


def test_of_many_images_some_are_used_that_are_spread_evenly(data_set, tiny_model, capsys, monkeypatch):
    monkeypatch.setattr("cpunet.commands.calibrate.MOST_IMAGES", 2)
    assert calibrate(tiny_model, "--data", data_set) == 0
    said = capsys.readouterr().out
    assert "2 of the 3 images are used, spread evenly" in said
    assert "on 2 images, " in said


def test_a_model_that_misses_the_objects_is_named_as_the_cause(data_set, tiny_model, capsys):
    for path in (data_set / "labels").iterdir():
        elsewhere = np.zeros((130, 160), np.uint16)
        elsewhere[:5, :5] = 1
        tifffile.imwrite(str(path), elsewhere)
    assert calibrate(tiny_model, "--data", data_set) == 0
    said = capsys.readouterr().out
    assert "misses most of these objects" in said
    assert "Only 3 objects are labeled" in said


def test_a_value_at_the_end_of_those_that_are_tried_is_pointed_out(data_set, tiny_model, capsys, monkeypatch):
    monkeypatch.setattr("cpunet.calibration.settings.SHIFTS_PX", (0.0, 1.0))
    calibrate(tiny_model, "--data", data_set)
    assert "NOTE outlines moved outward, pixels: 1 is the last of the values" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["images/a.tif"], "Image files need their label images"),
        (["images/a.tif", "images/b.tif", "--labels", "labels/a.tif"], "2 images and 1 label images"),
        ([".", "--first", "0"], "--first must be 1 or more; it is 0"),
        (["nowhere"], "there is no folder 'images' in it"),
        ([".", "--diameter", "0"], "typical diameter must be larger than 0"),
        ([".", "-o", "mine.zip"], "a file whose name ends in .onnx"),
        ([".", "-o", "theirs.onnx"], "was not written by cpunet"),
    ],
)
def test_what_cannot_be_is_refused(data_set, tiny_model, capsys, monkeypatch, words, message):
    monkeypatch.chdir(data_set)
    (data_set / "theirs.onnx").write_bytes(b"theirs")
    assert calibrate(tiny_model, "--data", *words) == 2
    said = capsys.readouterr().err
    assert said.startswith("cpunet calibrate: ")
    assert message in said
    assert (data_set / "theirs.onnx").read_bytes() == b"theirs"


def test_an_unknown_model_and_one_that_would_be_replaced_are_refused(data_set, tiny_model, capsys):
    before = tiny_model.read_bytes()
    assert calibrate("unknown", "--data", data_set) == 2
    assert calibrate(tiny_model, "--data", data_set, "-o", tiny_model) == 2
    said = capsys.readouterr().err
    assert "There is no model 'unknown'" in said
    assert "is an input of this command" in said
    assert tiny_model.read_bytes() == before


def test_images_without_objects_are_refused(data_set, tiny_model, capsys):
    for path in (data_set / "labels").iterdir():
        tifffile.imwrite(str(path), np.zeros((130, 160), np.uint16))
    assert calibrate(tiny_model, "--data", data_set) == 2
    assert "no labeled object in 3 images" in capsys.readouterr().err
