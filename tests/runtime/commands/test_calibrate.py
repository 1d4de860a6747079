import re

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from cpunet.steps.outlines import find_edges, move_outlines

FIELD = synthetic_field((240, 300), columns=9, diameter_px=20)
IMAGE = ndimage.gaussian_filter(FIELD.image, 1.5)
COUNT = int(FIELD.labels.max())


def calibrate(*words):
    return main(["calibrate", *map(str, words)])


@pytest.fixture
def data_set(images):
    """Two images whose labels reach far down the edge, in images/ and labels/."""
    labels = move_outlines(FIELD.labels, find_edges(FIELD.labels, IMAGE), None, 0.25)
    (images.parent / "labels").mkdir()
    for path in images.iterdir():
        tifffile.imwrite(str(path), (IMAGE * 4095).astype(np.uint16))
        tifffile.imwrite(str(images.parent / "labels" / path.name), labels.astype(np.uint16))
    return images.parent


def test_the_settings_for_the_module_and_the_command_line_are_printed(data_set, own_models, capsys):
    assert calibrate(data_set, "--device", "cpu") == 0
    said = capsys.readouterr().out
    assert re.search(rf"tiny 1\.\S+ on 2 images, {2 * COUNT} objects", said)
    assert re.search(r"^as the model learned +\d\.\d{3} \d\.\d{3}", said, flags=re.M)
    level = re.search(r"Level of the edge, from background \(0\) to inside \(1\) +(0\.\d+)$", said, flags=re.M)
    assert 0.2 <= float(level[1]) <= 0.35
    assert f"--outline-level {level[1]}" in said
    assert f"--set postprocessing.outline_level={level[1]}" in said


def test_the_command_that_is_printed_draws_these_outlines(data_set, own_models, tmp_path, capsys):
    calibrate(data_set, "--first", "1")
    said = capsys.readouterr().out
    assert f"on 1 image, {COUNT} objects" in said
    line = re.search(r"cpunet (segment IMAGE .*)$", said, flags=re.M)[1]
    image, output = str(data_set / "images" / "a.tif"), str(tmp_path / "out")
    words = line.replace("IMAGE ...", "IMAGE").split()
    assert main([{"IMAGE": image, "FOLDER": output}.get(word, word) for word in words]) == 0
    found = tifffile.imread(str(tmp_path / "out" / "a_labels.tif")) > 0
    truth = tifffile.imread(str(data_set / "labels" / "a.tif")) > 0
    assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_files_may_be_given_in_pairs(data_set, own_models, capsys):
    files = [data_set / "images" / "a.tif", "--labels", data_set / "labels" / "a.tif"]
    assert calibrate(*files) == 0
    assert f"on 1 image, {COUNT} objects" in capsys.readouterr().out


def test_a_model_that_misses_the_objects_is_named_as_the_cause(data_set, own_models, capsys):
    for path in (data_set / "labels").iterdir():
        elsewhere = np.zeros(FIELD.labels.shape, np.uint16)
        elsewhere[:5, :5] = 1
        tifffile.imwrite(str(path), elsewhere)
    assert calibrate(data_set) == 0
    said = capsys.readouterr().out
    assert "misses most of these objects" in said
    assert "Only 2 objects labeled" in said
    assert "Keep the model's own settings" in said
    assert "card edit" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["images/a.tif"], "Image files need their label images"),
        (["images/a.tif", "images/b.tif", "--labels", "labels/a.tif"], "2 images and 1 label images"),
        ([".", "--first", "0"], "--first must be 1 or more; it is 0"),
        (["nowhere"], "there is no folder 'images' in it"),
        ([".", "--diameter", "0"], "typical diameter must be larger than 0"),
        ([".", "--model", "unknown"], "unknown"),
    ],
)
def test_what_cannot_be_is_refused(data_set, own_models, capsys, monkeypatch, words, message):
    monkeypatch.chdir(data_set)
    assert calibrate(*words) == 2
    said = capsys.readouterr().err
    assert said.startswith("cpunet calibrate: ")
    assert message in said


def test_images_without_objects_are_refused(data_set, own_models, capsys):
    for path in (data_set / "labels").iterdir():
        tifffile.imwrite(str(path), np.zeros(FIELD.labels.shape, np.uint16))
    assert calibrate(data_set) == 2
    assert "no labeled object in 2 images" in capsys.readouterr().err


def test_folders_and_patterns_mean_their_files(data_set, own_models, capsys):
    for images, labels in ((data_set / "images", data_set / "labels"), (data_set / "images/*", data_set / "labels/*")):
        assert calibrate(images, "--labels", labels) == 0
        assert f"on 2 images, {2 * COUNT} objects" in capsys.readouterr().out
    assert calibrate(data_set / "images/*.png", "--labels", data_set / "labels") == 2
    assert "no image file matches this pattern" in capsys.readouterr().err
