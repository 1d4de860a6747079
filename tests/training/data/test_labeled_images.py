import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from cpunet.errors import DataError
from cpunet.training.config import DataSource
from cpunet.training.data.index import index_problems
from cpunet.training.data.labeled_images import object_diameters, read_index, read_labeled_image, rows_of_split
from tests.written_sets import write_index


def ids(sources, root, split):
    return [[row.id for row in rows] for rows in rows_of_split(sources, root, split)]


def test_images_are_chosen_by_split_and_modality(tmp_path):
    write_index(
        tmp_path / "set",
        ("a", "fluorescence", "train", ""),
        ("b", "brightfield", "train", ""),
        ("c", "fluorescence", "val", ""),
        ("d", "fluorescence", "excluded", ""),
    )
    assert ids([DataSource("set")], tmp_path, "train") == [["a", "b"]]
    assert ids([DataSource("set", modalities=("fluorescence",))], tmp_path, "train") == [["a"]]
    assert ids([DataSource("set")], tmp_path, "val") == [["c"]]


@pytest.mark.parametrize("duplicate", ["plate_A1", "plate_A1_w1FF-09"])
@pytest.mark.parametrize("tested", ["val", "test"])
def test_an_image_whose_duplicate_is_tested_on_is_never_trained_on(tmp_path, duplicate, tested):
    write_index(tmp_path / "first", ("plate_A1", "f", "train", ""), ("plate_A11", "f", "train", ""))
    write_index(tmp_path / "second", ("x", "f", tested, duplicate), ("y", "f", "train", ""))
    sources = [DataSource("first"), DataSource("second")]
    assert ids(sources, tmp_path, "train") == [["plate_A11"], ["y"]]


@pytest.mark.parametrize("tested", ["val", "test"])
def test_the_same_the_other_way_round(tmp_path, tested):
    write_index(tmp_path / "first", ("plate_A1", "f", tested, ""), ("plate_B1", "f", "train", ""))
    write_index(tmp_path / "second", ("x", "f", "train", "plate_A1_w1FF"), ("y", "f", "train", "plate_B1_w1"))
    assert ids([DataSource("first"), DataSource("second")], tmp_path, "train") == [["plate_B1"], ["y"]]


def test_a_missing_index_column_or_split_is_named(tmp_path):
    with pytest.raises(DataError, match=r"index\.csv: there is no such file"):
        read_index(tmp_path)
    (tmp_path / "index.csv").write_text("id,modality\na,f\n")
    with pytest.raises(DataError, match="'split' is missing"):
        read_index(tmp_path)
    write_index(tmp_path / "set", *((name, "f", "train", "") for name in "abcdefghi"))
    with pytest.raises(DataError, match="'val'"):
        rows_of_split([DataSource("set")], tmp_path, "val")


def test_labels_of_another_size_and_unreadable_images_are_named(tmp_path):
    write_index(tmp_path / "set", ("a", "f", "train", ""))
    row = read_index(tmp_path / "set")[0]
    with pytest.raises(DataError, match="a: the image or its labels cannot be read"):
        read_labeled_image(row)
    for folder, size in (("images", 8), ("labels", 9)):
        (tmp_path / "set" / folder).mkdir()
        imsave(str(tmp_path / "set" / folder / "a.png"), np.zeros((size, size), np.uint8), check_contrast=False)
    with pytest.raises(DataError, match=r"\(8, 8\) and its labels \(9, 9\)"):
        read_labeled_image(row)


def test_diameters_are_those_of_discs_of_the_same_area():
    labels = np.zeros((40, 40), np.int32)
    labels[:10, :10] = 2
    labels[20:, 20:] = 5
    np.testing.assert_allclose(object_diameters(labels), 2 * np.sqrt(np.array([100, 400]) / np.pi))


def test_tiff_files_are_found_beside_png_files(tmp_path):
    write_index(tmp_path / "set", ("a", "f", "train", ""), ("b", "f", "train", ""))
    for folder in ("images", "labels"):
        (tmp_path / "set" / folder).mkdir()
    tifffile.imwrite(tmp_path / "set/images/a.tiff", np.full((6, 7), 1.5, np.float32))
    tifffile.imwrite(tmp_path / "set/labels/a.tif", np.ones((6, 7), np.uint32))
    found, missing = read_index(tmp_path / "set")
    read = read_labeled_image(found)
    assert read.image.dtype == np.float32
    assert read.labels.max() == 1
    assert missing.image_path.name == "b.png"


@pytest.mark.parametrize("name", ["../a", "a/b", "a\\b", "..", "", "C:a"])
def test_an_id_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    write_index(tmp_path / "set", (name, "f", "train", ""))
    with pytest.raises(DataError, match=r"index\.csv: the id"):
        read_index(tmp_path / "set")


def test_an_id_listed_twice_is_one_image_and_never_trained_on_if_it_is_tested(tmp_path):
    write_index(tmp_path / "set", ("a", "f", "train", ""), ("a", "f", "val", ""), *[("b", "f", "train", "")] * 2)
    assert ids([DataSource("set")], tmp_path, "train") == [["b"]]
    assert ids([DataSource("set")], tmp_path, "val") == [["a"]]
    assert index_problems([{"id": "A"}, {"id": "a"}, {"id": "b"}]) == [
        "the id 'A' stands in index.csv twice.",
        "the id 'a' stands in index.csv twice.",
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.full((8, 8), 0.5, np.float32), "float32 values"), (np.full((8, 8), -1, np.int16), "numbers from -1 to -1")],
)
def test_labels_that_are_no_numbers_of_objects_are_refused(tmp_path, labels, message):
    write_index(tmp_path / "set", ("a", "f", "train", ""))
    for folder, array in (("images", np.zeros((8, 8), np.uint8)), ("labels", labels)):
        (tmp_path / "set" / folder).mkdir()
        tifffile.imwrite(tmp_path / "set" / folder / "a.tif", array)
    with pytest.raises(DataError, match=message):
        read_labeled_image(read_index(tmp_path / "set")[0])


def test_of_up_to_eight_images_none_must_be_left_out(tmp_path):
    write_index(tmp_path / "eight", *((name, "f", "train", "") for name in "abcdefgh"), ("i", "g", "val", ""))
    assert ids([DataSource("eight", modalities=("f",))], tmp_path, "val") == [list("abcdefgh")]
    assert ids([DataSource("eight")], tmp_path, "val") == [["i"]]
    write_index(tmp_path / "nine", *((name, "f", "train", "") for name in "abcdefghi"))
    with pytest.raises(DataError, match="'val'"):
        ids([DataSource("nine")], tmp_path, "val")
