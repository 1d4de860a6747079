"""``cpunet segment`` of stacks of depths, by models of volumes and of images; and ``cpunet count`` of their labels."""

import csv

import numpy as np
import PIL.Image
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.files.formats.volume import read_label_volume, write_volume
from cpunet.files.formats.voxel_size import VoxelSize
from tests.tiny_volumes import balls, changed_volume_card, tiny_volume_onnx

VOLUME, TRUTH = balls((16, 90, 100), ((5, 20, 20), (8, 50, 60), (9, 16, 83), (8, 70, 20)), 20)
STORED = np.clip(VOLUME * 40000 + 10000, 0, 65535).astype(np.uint16)


@pytest.fixture
def model_3d(tmp_path):
    path = tmp_path / "tiny_3d.onnx"
    path.write_bytes(tiny_volume_onnx())
    return path


@pytest.fixture
def stack(tmp_path):
    path = tmp_path / "embryo.tif"
    write_volume(path, STORED, VoxelSize(0.5, 1.0))
    return path


def segment(*words):
    return main(["segment", *map(str, words)])


def test_a_stack_is_segmented_as_a_volume(stack, model_3d, tmp_path, capsys):
    output = tmp_path / "out"
    assert segment(stack, "-o", output, "--model", model_3d) == 0
    said = capsys.readouterr()
    assert "embryo.tif: 4 objects, segmented as a volume" in said.out
    assert "The planes lie 2 pixels apart, and the model knows 2." in said.err
    labels = read_label_volume(output / "embryo_labels.tif")
    assert labels.pixels.dtype == np.uint16
    assert labels.size == VoxelSize(0.5, 1.0)
    assert ((labels.pixels > 0) == (TRUTH > 0)).mean() > 0.999
    with tifffile.TiffFile(str(output / "embryo_labels.tif")) as file:
        assert file.series[0].axes == "ZYX"
    sheet = np.array(PIL.Image.open(output / "embryo_overlay.png"))
    assert sheet.shape == (3 * 91 - 1, 4 * 101 - 1, 3)  # twelve of sixteen planes
    assert (sheet == (255, 215, 0)).all(axis=2).any()


def test_a_second_run_replaces_its_own_results_and_takes_no_labels_for_images(stack, model_3d, tmp_path, capsys):
    output = tmp_path / "out"
    for _ in range(2):
        assert segment(stack, "-o", output, "--model", model_3d) == 0
    capsys.readouterr()
    assert segment(output / "embryo_labels.tif", "-o", tmp_path / "more", "--model", model_3d) == 2
    assert "all files are results of cpunet" in capsys.readouterr().err


def test_a_model_of_images_segments_it_plane_by_plane_and_says_so(stack, tiny_model, tmp_path, capsys):
    output = tmp_path / "out"
    assert segment(stack, "-o", output, "--model", tiny_model) == 0
    said = capsys.readouterr()
    assert "embryo.tif: 4 objects, segmented plane by plane and linked" in said.out
    assert "Segmented plane by plane by the model tiny, and the objects of neighboring planes were linked" in said.err
    assert read_label_volume(output / "embryo_labels.tif").pixels.max() == 4


def test_the_z_step_is_that_of_the_command_the_file_or_the_model(stack, model_3d, tmp_path, capsys):
    assert segment(stack, "-o", tmp_path / "given", "--model", model_3d, "--z-step", 4) == 0
    assert "The planes lie 4 pixels apart" in capsys.readouterr().err
    unsaid = tmp_path / "unsaid.tif"
    tifffile.imwrite(str(unsaid), STORED, imagej=True, metadata={"axes": "ZYX"})
    assert segment(unsaid, "-o", tmp_path / "unsaid", "--model", model_3d) == 0
    assert "The z step of the image was not given, so that of the model was assumed" in capsys.readouterr().err
    assert segment(stack, "-o", tmp_path / "bad", "--model", model_3d, "--z-step", 0) == 2
    assert "The z step, the distance of two planes" in capsys.readouterr().err
    wrong = tmp_path / "wrong.tif"
    write_volume(wrong, STORED, VoxelSize(0.5, 1000.0))
    assert segment(wrong, "-o", tmp_path / "wrong", "--model", model_3d) == 1
    assert "the size of its voxels cannot be right" in capsys.readouterr().err


def test_a_model_of_images_minds_a_wrong_voxel_size_only_where_diameters_depend_on_it(tiny_model, tmp_path, capsys):
    wrong = tmp_path / "wrong.tif"
    write_volume(wrong, STORED, VoxelSize(0.5, 1000.0))
    assert segment(wrong, "-o", tmp_path / "all", "--model", tiny_model) == 0
    assert "4 objects" in capsys.readouterr().out
    assert segment(wrong, "-o", tmp_path / "sized", "--model", tiny_model, "--diameter-range", 5, 90) == 1
    assert "the size of its voxels cannot be right" in capsys.readouterr().err


def test_objects_are_discarded_by_the_diameter_of_a_ball_and_at_the_frame(model_3d, tmp_path, capsys):
    volume, _ = balls((16, 90, 100), ((5, 30, 30), (8, 60, 70)), 20)
    volume[7:9, 80:84, 10:14] = 1  # small
    volume[4:9, :12, 80:92] = 1  # at the frame
    path = tmp_path / "few.tif"
    write_volume(path, np.clip(volume * 40000 + 10000, 0, 65535).astype(np.uint16), VoxelSize(1.0, 2.0))

    def found(*words):
        output = tmp_path / "-".join(["out", *map(str, words)])
        assert segment(path, "-o", output, "--model", model_3d, *words) == 0
        return read_label_volume(output / "few_labels.tif").pixels.max()

    assert found() == 4
    assert found("--diameter-range", 15, 40) == 2  # the block at the frame is a ball of 14
    assert found("--discard-border") == 3
    capsys.readouterr()


def test_a_diameter_range_needs_a_z_step_where_no_one_says_it(tiny_model, tmp_path, capsys):
    unsaid = tmp_path / "unsaid.tif"
    tifffile.imwrite(str(unsaid), STORED, imagej=True, metadata={"axes": "ZYX"})
    words = ("-o", tmp_path / "out", "--model", tiny_model, "--diameter-range", 10, 40)
    assert segment(unsaid, *words) == 1
    assert "Give the distance of two planes over the width of a pixel with --z-step" in capsys.readouterr().err
    assert segment(unsaid, *words, "--z-step", 2) == 0


def test_planes_of_which_a_file_says_nothing_are_depths_for_a_model_of_volumes_or_with_a_z_step(
    model_3d, tiny_model, tmp_path, capsys
):
    path = tmp_path / "unknown.tif"
    tifffile.imwrite(str(path), STORED)
    assert segment(path, "-o", tmp_path / "out", "--model", model_3d) == 0
    assert segment(path, "-o", tmp_path / "planes", "--model", tiny_model) == 1
    assert "with the axes ZYX, or with --z-step, is segmented by `cpunet segment`" in capsys.readouterr().err
    assert segment(path, "-o", tmp_path / "planes", "--model", tiny_model, "--z-step", 2) == 0


def test_an_image_or_a_time_lapse_is_refused_by_a_model_of_volumes(model_3d, tmp_path, capsys):
    tifffile.imwrite(str(tmp_path / "image.tif"), STORED[8])
    tifffile.imwrite(str(tmp_path / "film.tif"), STORED, ome=True, metadata={"axes": "TYX"})
    for name in ("image.tif", "film.tif"):
        assert segment(tmp_path / name, "-o", tmp_path / "out", "--model", model_3d) == 1
        assert "sees volumes (3-D), and this is an image of one plane" in capsys.readouterr().err


def test_one_of_several_channels(tmp_path, capsys):
    path, model = tmp_path / "two.tif", tmp_path / "one.onnx"
    write_volume(path, np.stack([STORED[::-1], STORED], axis=-1), VoxelSize(0.5, 1.0))
    model.write_bytes(tiny_volume_onnx())
    assert segment(path, "-o", tmp_path / "out", "--model", model, "--channel", 2) == 0
    labels = read_label_volume(tmp_path / "out" / "two_labels.tif").pixels
    assert ((labels > 0) == (TRUTH > 0)).mean() > 0.999
    assert segment(path, "-o", tmp_path / "third", "--model", model, "--channel", 3) == 1
    assert "this stack has 2 channels; give the number of one" in capsys.readouterr().err
    both = tmp_path / "both.onnx"
    both.write_bytes(tiny_volume_onnx(changed_volume_card(input={"channels": ["a", "b"]}), channels=2))
    assert segment(path, "-o", tmp_path / "both", "--model", both) == 0


def test_by_tile_is_refused_for_a_stack(stack, model_3d, tmp_path, capsys):
    assert segment(stack, "-o", tmp_path / "out", "--model", model_3d, "--by-tile") == 1
    assert "a 3-D stack is segmented in the memory" in capsys.readouterr().err


def test_count_counts_the_objects_of_stacks(stack, model_3d, tmp_path, capsys):
    output = tmp_path / "out"
    assert main(["count", str(stack), "-o", str(output), "--model", str(model_3d), "--typical-area", "2000"]) == 0
    with (output / "counts.csv").open(encoding="utf-8-sig", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["objects"] == "4"
    assert int(row["area_px"]) == pytest.approx((TRUTH > 0).sum(), rel=0.01)
