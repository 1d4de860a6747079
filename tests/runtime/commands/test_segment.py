import sys

import numpy as np
import PIL.Image
import pytest
import tifffile
from skimage.io import imread, imsave

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from cpunet.commands import segment as segment_command
from cpunet.files.images import read_image
from cpunet.model.ensemble import average_models
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image
from tests.tiny_onnx import changed_card, tiny_onnx

FIELD = synthetic_field((120, 150), columns=4, diameter_px=20)


def segment(*words):
    return main(["segment", *map(str, words)])


def test_segment_writes_labels_and_an_overlay_for_each_image(images, own_models, tmp_path, capsys):
    output = tmp_path / "new" / "folder"
    assert segment(images / "a.tif", images / "b.tif", "-o", output) == 0
    assert sorted(path.name for path in output.iterdir()) == [
        "a_labels.tif",
        "a_overlay.png",
        "b_labels.tif",
        "b_overlay.png",
    ]
    labels = tifffile.imread(str(output / "a_labels.tif"))
    assert labels.dtype == np.uint16
    assert labels.shape == FIELD.labels.shape
    assert labels.max() == FIELD.labels.max()
    overlay = imread(str(output / "a_overlay.png"))
    assert overlay.shape == (*FIELD.labels.shape, 3)
    assert (overlay == (255, 215, 0)).all(axis=2).any()
    assert "2 images done, 0 failed" in capsys.readouterr().out


def test_a_bad_file_costs_only_itself(images, own_models, tmp_path, capsys):
    (images / "empty.tif").touch()
    (images / "text.png").write_text("no picture")
    (images / "cut.tif").write_bytes((images / "a.tif").read_bytes()[:200])
    imsave(str(images / "color.png"), np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8))
    tifffile.imwrite(str(images / "stack.tif"), np.zeros((9, 20, 20), np.uint8))
    tifffile.imwrite(str(images / "nan.tif"), np.full((20, 20), np.nan, np.float32))
    tifffile.imwrite(str(images / "one.tif"), np.ones((1, 1), np.uint8))
    bad = ["empty.tif", "text.png", "cut.tif", "absent.tif", "color.png", "stack.tif"]
    names = [*bad[:3], "a.tif", *bad[3:], "nan.tif", "one.tif", "b.tif"]
    output = tmp_path / "out"
    assert segment(*[images / name for name in names], "-o", output) == 1
    written = sorted(path.name for path in output.glob("*_labels.tif"))
    assert written == ["a_labels.tif", "b_labels.tif", "nan_labels.tif", "one_labels.tif"]
    assert not list(output.glob(".*")), "half-written files are left"
    said = capsys.readouterr()
    assert "4 images done, 6 failed" in said.out
    for name in bad:
        assert f"FAILED {images / name}" in said.err


def test_two_images_of_one_name_do_not_replace_each_other(images, own_models, tmp_path, capsys):
    imsave(str(images / "a.png"), (FIELD.image.T * 255).astype(np.uint8))
    output = tmp_path / "out"
    assert segment(images / "a.tif", images / "a.png", "-o", output) == 1
    assert tifffile.imread(str(output / "a_labels.tif")).shape == FIELD.labels.shape
    assert "same name" in capsys.readouterr().err


def test_filters(images, own_models, tmp_path):
    assert segment(images / "a.tif", "-o", tmp_path, "--diameter-range", 1, 2) == 0
    assert not tifffile.imread(str(tmp_path / "a_labels.tif")).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "lion"], "no model 'lion'"),
        (["--model", "absent.onnx"], "no such model file"),
        (["--diameter", "1e9"], "can be rescaled for this model if it is"),
        (["--diameter-range", "30", "10"], "minimum is larger"),
        (["--diameter-range", "0", "10"], "not above 0"),
        (["--diameter", "-3"], "larger than 0"),
        (["--foreground-threshold", "7"], "between 0 and 1"),
    ],
)
def test_what_cannot_begin_says_why_and_writes_nothing(images, own_models, tmp_path, capsys, words, message):
    output = tmp_path / "out"
    assert segment(images / "a.tif", "-o", output, *words) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_a_model_file_that_is_broken_says_so(images, own_models, tmp_path, capsys):
    broken = own_models / "nuclei_fluorescence" / "model.onnx"
    broken.write_bytes(tiny_onnx()[:100])
    assert segment(images / "a.tif", "-o", tmp_path / "out") == 2
    assert "cut short" in capsys.readouterr().err


def test_a_model_of_a_newer_major_version_says_so(images, own_models, tmp_path, capsys):
    newer = own_models / "nuclei_fluorescence" / "model.onnx"
    newer.write_bytes(tiny_onnx(changed_card(card_version="2.0")))
    assert segment(images / "a.tif", "-o", tmp_path / "out") == 2
    assert "Update the plugin" in capsys.readouterr().err


def test_missing_onnxruntime_is_said_before_anything_is_written(images, own_models, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert segment(images / "a.tif", "-o", tmp_path / "out") == 2
    assert "pip install onnxruntime" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "PROBLEM: onnxruntime" in said
    assert "sha256" in said


def test_a_compression_that_tifffile_cannot_read_is_read(images, own_models, tmp_path):
    pixels = (FIELD.image * 4095).astype(np.uint16)
    PIL.Image.fromarray(pixels).save(images / "lzw.tif", compression="tiff_lzw")
    assert segment(images / "lzw.tif", images / "a.tif", "-o", tmp_path) == 0
    found = [tifffile.imread(str(tmp_path / f"{name}_labels.tif")) for name in ("lzw", "a")]
    np.testing.assert_array_equal(*found)


def test_a_gray_image_saved_as_rgb_is_gray(images, own_models, tmp_path):
    imsave(str(images / "rgb.png"), np.stack([(FIELD.image * 255).astype(np.uint8)] * 3, axis=-1))
    assert segment(images / "rgb.png", "-o", tmp_path) == 0


@pytest.mark.parametrize("mode", ["L", "LA", "P", "I;16", "RGBA"])
def test_the_kinds_of_png_that_programs_write_are_read(images, own_models, tmp_path, mode):
    eight_bits = PIL.Image.fromarray((FIELD.image * 255).astype(np.uint8))
    if mode == "I;16":
        picture = PIL.Image.fromarray((FIELD.image * 65535).astype(np.uint16))
    else:
        picture = eight_bits.convert("RGB").convert(mode) if mode == "RGBA" else eight_bits.convert(mode)
    picture.save(images / "kind.png")
    assert segment(images / "kind.png", "-o", tmp_path) == 0
    assert tifffile.imread(str(tmp_path / "kind_labels.tif")).max() >= FIELD.labels.max() - 1


def test_the_same_file_twice_is_done_once(images, own_models, tmp_path, capsys):
    assert segment(images / "a.tif", images / ".." / "images" / "a.tif", "-o", tmp_path) == 0
    assert "1 images done, 0 failed" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["images/*.tif"], ["images"], ["images/a.tif", "images/?.tif"]])
def test_patterns_and_folders_mean_their_images(images, own_models, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert segment(*words, "-o", "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tif")) == ["a_labels.tif", "b_labels.tif"]
    assert "2 images done, 0 failed" in capsys.readouterr().out


def test_a_pattern_without_a_match_costs_only_itself(images, own_models, tmp_path, capsys):
    assert segment(images / "*.jpg", images / "a.tif", "-o", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert f"FAILED {images / '*.jpg'}: no image file matches this pattern" in said.err
    assert "1 images done, 1 failed" in said.out


def test_a_second_run_does_not_segment_the_results_of_the_first(images, own_models, capsys):
    for words in ([images], [images / "*.tif"]):
        segment(*words, "-o", images)
        assert sorted(path.name for path in images.glob("*.tif")) == ["a.tif", "a_labels.tif", "b.tif", "b_labels.tif"]
    assert "left out: " in capsys.readouterr().err


def test_color_stored_plane_by_plane_and_white_as_0_give_the_same_objects(images, own_models, tmp_path):
    eight_bits = (FIELD.image * 255).astype(np.uint8)
    planes = np.stack([eight_bits] * 3)
    tifffile.imwrite(str(images / "planar.tif"), planes, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(str(images / "white.tif"), 255 - eight_bits, photometric="miniswhite")
    tifffile.imwrite(str(images / "plain.tif"), eight_bits)
    names = ("planar", "white", "plain")
    assert segment(*(images / f"{name}.tif" for name in names), "-o", tmp_path / "out") == 0
    planar, white, plain = (tifffile.imread(str(tmp_path / "out" / f"{name}_labels.tif")) for name in names)
    np.testing.assert_array_equal(planar, plain)
    np.testing.assert_array_equal(white, plain)


def test_an_image_larger_than_the_memory_costs_only_itself(images, own_models, tmp_path, capsys):
    tifffile.imwrite(str(images / "bomb.tif"), np.zeros((4, 4), np.uint8))
    with tifffile.TiffFile(str(images / "bomb.tif"), mode="r+b") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(4_000_000)
    assert segment(images / "bomb.tif", images / "a.tif", "-o", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "bomb.tif: this declares 4000000 x 4000000 pixels" in said.err
    assert "1 images done, 1 failed" in said.out


def test_a_model_that_is_replaced_meanwhile_is_said(images, own_models, tmp_path, capsys, monkeypatch):
    path = own_models / "nuclei_fluorescence" / "model.onnx"
    do = segment_command.segment_file

    def replace_then_do(*given):
        path.write_bytes(tiny_onnx(offset=-40.0))
        return do(*given)

    monkeypatch.setattr(segment_command, "segment_file", replace_then_do)
    assert main(["segment", *map(str, sorted(images.iterdir())), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "was changed, replaced or removed meanwhile" in said.err
    assert ": 0 objects" not in said.out


def test_models_and_views_are_averaged(images, own_models, tmp_path, capsys):
    eager = own_models / "eager.onnx"
    eager.write_bytes(tiny_onnx(changed_card(name="eager", postprocessing={"foreground_threshold": 0.02})))
    assert segment(images / "a.tif", "-o", tmp_path / "one") == 0
    assert segment(images / "a.tif", "-o", tmp_path / "two", "--average-with", eager, "--views", 8) == 0
    one, two = (tifffile.imread(str(tmp_path / name / "a_labels.tif")) for name in ("one", "two"))
    models = [load_model(find_model("nuclei_fluorescence")), load_model(eager)]
    options = Options(augmentation="flips and rotations")
    expected = segment_image(read_image(images / "a.tif"), average_models(models), options).labels
    np.testing.assert_array_equal(two, expected)
    assert (two > 0).sum() > (one > 0).sum()


def test_scales_and_crops_are_averaged_and_wrong_ones_refused(images, own_models, tmp_path, capsys):
    words = ["--view-scales", 0.8, 1.25, "--crops", 64]
    assert segment(images / "a.tif", "-o", tmp_path / "out", *words) == 0
    options = Options(view_scales=(0.8, 1.25), crop_px=64)
    model = load_model(find_model("nuclei_fluorescence"))
    expected = segment_image(read_image(images / "a.tif"), model, options).labels
    np.testing.assert_array_equal(tifffile.imread(str(tmp_path / "out" / "a_labels.tif")), expected)
    assert segment(images / "a.tif", "-o", tmp_path / "no", "--view-scales", 9) == 2
    assert "the factors are 9.0" in capsys.readouterr().err


def test_models_that_cannot_be_averaged_write_nothing(images, own_models, tmp_path, capsys):
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_onnx(changed_card(name="other", output={"roles": ["boundary"]})))
    assert segment(images / "a.tif", "-o", tmp_path / "out", "--average-with", other) == 2
    assert "cannot be averaged" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
