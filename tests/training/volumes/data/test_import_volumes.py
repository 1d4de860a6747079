import csv

import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.errors import DataError, LabelFileError
from cpunet.files.formats.volume import read_label_volume, read_volume, write_volume
from cpunet.files.formats.voxel_size import VoxelSize
from cpunet.training.volumes.data.import_volumes import numbers_of_objects, storable
from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes, read_labeled_volume
from tests.labeled_volumes import SHAPE, drawn_volume, write_volumes


@pytest.fixture
def stacks(tmp_path, monkeypatch):
    """Two folders, images and labels, of two volumes: a stack of ImageJ that says its sizes, and one that does not."""
    for sub in ("images", "labels"):
        (tmp_path / sub).mkdir()
    for seed, name in enumerate(["e1_t1", "e2_t1"]):
        image, labels = drawn_volume(seed)
        if seed == 0:
            metadata = {"axes": "ZYX", "spacing": 1.5, "unit": "um"}
            tifffile.imwrite(
                tmp_path / "images" / f"{name}.tif", image, imagej=True, resolution=(2, 2), metadata=metadata
            )
        else:
            tifffile.imwrite(tmp_path / "images" / f"{name}.tif", image, photometric="minisblack")
        tifffile.imwrite(tmp_path / "labels" / f"{name}_labels.tif", labels * 3, photometric="minisblack")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(*words):
    return main(["data", "import-volumes", *words, "-o", "set"])


def rows_of(folder):
    with (folder / "index.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_stacks_become_a_data_set_with_the_sizes_that_their_files_say(stacks, capsys):
    assert imported("--images", "images", "--labels", "labels", "--group", r"^(e\d)_") == 0
    printed = capsys.readouterr().out
    assert "e2_t1: pixel_size_um and z_step_um not known: say --pixel-size-um and --z-step-um" in printed
    first, second = rows_of(stacks / "set")
    assert [first[name] for name in ("depth", "height", "width", "dtype", "channels", "objects", "group")] == [
        "8",
        "30",
        "32",
        "uint16",
        "1",
        "3",
        "e1",
    ]
    assert (first["pixel_size_um"], first["z_step_um"]) == ("0.5", "1.5")
    assert (second["pixel_size_um"], second["z_step_um"]) == ("", "")
    volume = find_labeled_volumes(stacks / "set", 2.0)[0]
    image, labels, known = read_labeled_volume(volume)
    np.testing.assert_array_equal(image, drawn_volume(0)[0])
    np.testing.assert_array_equal(labels, drawn_volume(0)[1])
    assert known is None
    assert read_volume(volume.image).size == VoxelSize(0.5, 1.5)


def test_what_the_user_says_of_sizes_counts_before_the_file(stacks, capsys):
    said = ["--pixel-size-um", "0.4", "--z-step-um", "1.5"]
    assert imported("--images", "images", "--labels", "labels", *said) == 0
    printed = capsys.readouterr().out
    assert "e1_t1: pixels are 0.4 um wide, and not 0.5 as the file says." in printed
    assert "apart" not in printed
    assert {(row["pixel_size_um"], row["z_step_um"]) for row in rows_of(stacks / "set")} == {("0.4", "1.5")}


def test_labels_of_some_planes(stacks):
    _, labels = drawn_volume(0)
    labels[[0, 1, 3, 4, 6, 7]] = 0
    tifffile.imwrite(stacks / "labels" / "e1_t1_labels.tif", labels, photometric="minisblack")
    assert imported("--images", "images", "--labels", "labels", "--labeled-planes", "with-labels") == 0
    first, second = rows_of(stacks / "set")
    assert (first["labeled_planes"], second["labeled_planes"]) == ("3 6", "1-7")
    known = read_labeled_volume(find_labeled_volumes(stacks / "set", 2.0)[0])[2]
    assert np.flatnonzero(known.any(axis=(1, 2))).tolist() == [2, 5]


def test_named_planes_must_be_there(stacks, capsys):
    assert imported("--images", "images", "--labels", "labels", "--labeled-planes", "3 7-9") == 2
    assert "names the plane 9, and it has the planes 1 to 8" in capsys.readouterr().err
    assert not (stacks / "set").exists()


def test_a_volume_without_any_label_is_not_taken_for_labeled_in_all_planes(stacks, capsys):
    tifffile.imwrite(stacks / "labels" / "e1_t1_labels.tif", np.zeros(SHAPE, np.uint16), photometric="minisblack")
    assert imported("--images", "images", "--labels", "labels", "--labeled-planes", "with-labels") == 2
    assert "e1_t1: no plane holds an object, so none counts as labeled" in capsys.readouterr().err


def test_masks_and_minus_one_say_what_nobody_labeled(stacks):
    (stacks / "masks").mkdir()
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, :5] = 1
    tifffile.imwrite(stacks / "masks" / "e1_t1.tif", mask, photometric="minisblack")
    labels = drawn_volume(0)[1].astype(np.int16)
    labels[:, -5:] = -1
    tifffile.imwrite(stacks / "labels" / "e1_t1_labels.tif", labels, photometric="minisblack")
    assert imported("--images", "images", "--labels", "labels", "--ignore", "masks") == 0
    first, second = find_labeled_volumes(stacks / "set", 2.0)
    known = read_labeled_volume(first)[2]
    expected = np.ones(SHAPE, bool)
    expected[:, :5] = expected[:, -5:] = False
    np.testing.assert_array_equal(known, expected)
    assert read_labeled_volume(second)[2] is None


def test_sets_of_volumes_are_joined_and_keep_what_they_say(tmp_path, monkeypatch, capsys):
    row = {"split": "val", "group": "g", "pixel_size_um": "0.5", "z_step_um": "2", "labeled_planes": "2-4"}
    write_volumes(tmp_path / "one", [{"id": "a", **row}])
    write_volumes(tmp_path / "two", [{"id": "b", "split": "train"}])
    monkeypatch.chdir(tmp_path)
    assert imported("one", "two") == 0
    first, second = rows_of(tmp_path / "set")
    assert {name: first[name] for name in row} == row
    # Both were drawn alike: the same seed.
    assert second["duplicate_of"] == "a"
    assert main(["data", "import-volumes", "one", "-o", "again", "--against", "set"]) == 0
    assert rows_of(tmp_path / "again")[0]["duplicate_of"] == "set/a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: labels[1:], "e1_t1: the volume has the shape (8, 30, 32) and its labels (7, 30, 32)"),
        (lambda labels: labels / 2 + 0.25, "whole numbers are needed"),
        (lambda labels: labels[0], "a single plane"),
    ],
    ids=["another depth", "fractions", "a plane"],
)
def test_labels_that_cannot_be_used_are_named_and_nothing_is_written(stacks, capsys, change, message):
    labels = change(drawn_volume(0)[1])
    tifffile.imwrite(stacks / "labels" / "e1_t1_labels.tif", labels, photometric="minisblack")
    assert imported("--images", "images", "--labels", "labels") == 2
    assert message in capsys.readouterr().err
    assert not (stacks / "set").exists()


def test_whole_numbers_in_a_floating_type_are_labels(tmp_path):
    labels, ignored = numbers_of_objects(np.array([[[0.0, 7.0, -1.0]]], np.float32), tmp_path)
    assert (labels.tolist(), ignored.tolist()) == ([[[0, 1, 0]]], [[[False, False, True]]])
    with pytest.raises(LabelFileError, match="from -2 to 3"):
        numbers_of_objects(np.array([[[-2, 3]]]), tmp_path)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [(bool, "uint8"), ("f2", "float32"), ("i8", "uint32"), ("u8", "uint32"), ("i2", "int16"), ("f8", "float64")],
)
def test_types_that_ome_tiff_lacks_are_stored_in_others(tmp_path, kind, stored):
    image = storable(np.ones((2, 3, 4), kind), tmp_path / "a.tif")
    write_volume(tmp_path / "a.tif", image)
    assert read_volume(tmp_path / "a.tif").pixels.dtype == stored
    assert storable(np.array([[[-1]]]), tmp_path).dtype == np.int32
    for wrong in (np.array([[[2**40]]]), np.array([[[1j]]])):
        with pytest.raises(DataError, match=r"save them in 32 bits|real numbers"):
            storable(wrong, tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--labels", "labels"], "--labels goes with --images"),
        (["--images", "images"], "there is no OME-Zarr in this folder; say --labels DIR"),
        (["--images", "images", "--labels", "labels", "--z-step-um", "0"], "a length above 0 is needed"),
        (["--images", "images", "--labels", "labels", "--labeled-planes", "x"], "'x' names no planes"),
        ([], "Say what to import"),
    ],
)
def test_options_that_do_not_belong_together(stacks, capsys, words, message):
    assert imported(*words) == 2
    assert message in capsys.readouterr().err


def ome_zarr(path, pixels):
    zarr = pytest.importorskip("zarr", reason="the package zarr is not installed")
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    group.create_array("0", shape=pixels.shape, dtype=pixels.dtype)[:] = pixels
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = {"type": "scale", "scale": [1.5, 0.5, 0.5]}
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


def test_ome_zarr_with_labels_within_or_beside(tmp_path, monkeypatch, capsys):
    image, labels = drawn_volume(0)
    ome_zarr(tmp_path / "images" / "a.zarr", image)
    ome_zarr(tmp_path / "images" / "a.zarr" / "labels" / "nuclei", labels)
    monkeypatch.chdir(tmp_path)
    assert imported("--images", "images") == 0
    (row,) = rows_of(tmp_path / "set")
    assert (row["pixel_size_um"], row["z_step_um"], row["objects"]) == ("0.5", "1.5", "3")
    np.testing.assert_array_equal(read_label_volume(tmp_path / "set" / "labels" / "a.tif").pixels, labels)
    ome_zarr(tmp_path / "images" / "a.zarr" / "labels" / "cells", labels)
    assert main(["data", "import-volumes", "--images", "images", "-o", "other"]) == 2
    assert "several labels (cells, nuclei)" in capsys.readouterr().err
    (tmp_path / "beside").mkdir()
    write_volume(tmp_path / "beside" / "a_labels.tif", np.minimum(labels, 2))
    assert main(["data", "import-volumes", "--images", "images", "--labels", "beside", "-o", "other"]) == 0
    assert rows_of(tmp_path / "other")[0]["objects"] == "2"


def test_a_set_that_is_there_is_kept(stacks):
    write_volumes(stacks / "set", [{"id": "mine", "split": "train"}])
    assert imported("--images", "images", "--labels", "labels") == 2
    assert [row["id"] for row in rows_of(stacks / "set")] == ["mine"]
    with pytest.raises(DataError):
        find_labeled_volumes(stacks / "set")
