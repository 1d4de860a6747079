import numpy as np
import pytest
import tifffile

from cpunet.errors import DataError
from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes, planes_of, read_labeled_volume
from tests.labeled_volumes import SHAPE, drawn_volume, write_rows, write_volumes


def test_the_index_says_how_far_apart_planes_are(tmp_path):
    rows = [
        {"id": "a", "split": "train", "group": "e1", "pixel_size_um": "0.5", "z_step_um": "1.5"},
        {"id": "b", "split": "val", "group": "e2", "z_step_um": "1.5"},
    ]
    write_volumes(tmp_path / "drawn", rows)
    first, second = find_labeled_volumes(tmp_path / "drawn", z_step_px=2.2)
    assert (first.id, first.split, first.group, first.z_step_px, first.pixel_size_um) == ("a", "train", "e1", 3.0, 0.5)
    assert (second.split, second.z_step_px, second.pixel_size_um) == ("val", 2.2, None)
    with pytest.raises(DataError, match=r"planes of b are is not known.*z_step_px"):
        find_labeled_volumes(tmp_path / "drawn")


def test_a_volume_is_read_with_its_labels(tmp_path):
    write_volumes(tmp_path / "drawn", [{"id": "a", "split": "train"}])
    (volume,) = find_labeled_volumes(tmp_path / "drawn", 2.0)
    image, labels, known = read_labeled_volume(volume)
    drawn, truth = drawn_volume(0)
    np.testing.assert_array_equal(image, drawn)
    np.testing.assert_array_equal(labels, truth)
    assert (image.dtype, labels.dtype, known) == (np.uint16, np.int32, None)


def test_what_nobody_labeled_is_known_by_plane_and_by_mask(tmp_path):
    folder = tmp_path / "drawn"
    write_volumes(folder, [{"id": "a", "split": "train", "labeled_planes": "3-4 6"}])
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, :, :10] = 255
    (folder / "ignore").mkdir()
    tifffile.imwrite(folder / "ignore" / "a.tif", mask, photometric="minisblack")
    (volume,) = find_labeled_volumes(folder, 2.0)
    _, labels, known = read_labeled_volume(volume)
    expected = np.zeros(SHAPE, bool)
    expected[[2, 3, 5], :, 10:] = True
    np.testing.assert_array_equal(known, expected)
    np.testing.assert_array_equal(labels, np.where(expected, drawn_volume(0)[1], 0))
    tifffile.imwrite(folder / "ignore" / "a.tif", mask[1:], photometric="minisblack")
    with pytest.raises(DataError, match=r"mask .*\(7, 30, 32\)"):
        read_labeled_volume(volume)


@pytest.mark.parametrize("text", ["x", "-3", "4-", "5-4", "1,2", "0", "1-1000000000"])
def test_planes_that_are_no_numbers_are_refused(tmp_path, text):
    with pytest.raises(DataError, match="such as 3 7-9"):
        planes_of({"id": "a", "labeled_planes": text}, tmp_path)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"z_step_um": "0", "pixel_size_um": "1"}, "z_step_um of a is '0'"),
        ({"z_step_um": "2", "pixel_size_um": "wide"}, "pixel_size_um of a is 'wide'"),
    ],
    ids=["zero", "text"],
)
def test_lengths_that_are_none_are_refused(tmp_path, cells, message):
    write_volumes(tmp_path / "drawn", [{"id": "a", "split": "train", **cells}])
    with pytest.raises(DataError, match=message):
        find_labeled_volumes(tmp_path / "drawn", 2.0)


def test_files_that_do_not_belong_together_are_named(tmp_path):
    folder = tmp_path / "drawn"
    write_volumes(folder, [{"id": "a", "split": "train", "labeled_planes": "9"}])
    (volume,) = find_labeled_volumes(folder, 2.0)
    with pytest.raises(
        DataError, match=r"drawn.images.a\.tif: labeled_planes names the plane 9, and it has the planes 1 to 8"
    ):
        read_labeled_volume(volume)
    _, labels = drawn_volume(0)
    tifffile.imwrite(folder / "labels" / "a.tif", labels[1:], photometric="minisblack")
    shapes = r"the volume has the shape \(8, 30, 32\) and its labels \(7, 30, 32\)"
    with pytest.raises(DataError, match=rf"drawn.images.a\.tif: {shapes}"):
        read_labeled_volume(volume)
    tifffile.imwrite(folder / "labels" / "a.tif", labels.astype(np.float32), photometric="minisblack")
    with pytest.raises(DataError, match="whole numbers are needed"):
        read_labeled_volume(volume)
    (folder / "labels" / "a.tif").unlink()
    with pytest.raises(DataError, match=r"a: .*labels/a\.png: there is no such file"):
        read_labeled_volume(find_labeled_volumes(folder, 2.0)[0])


def test_a_volume_whose_duplicate_is_tested_on_is_not_trained_on(tmp_path):
    folder = tmp_path / "drawn"
    write_volumes(folder, [{"id": "a", "split": "train"}, {"id": "b", "split": "val"}])
    write_rows(folder, [{"id": "a", "split": "train"}, {"id": "b", "split": "val", "duplicate_of": "a"}])
    assert [volume.split for volume in find_labeled_volumes(folder, 1.0)] == ["excluded", "val"]
