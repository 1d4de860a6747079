import csv

import numpy as np
import pytest
from skimage.io import imsave

from cpunet.training.config import DataSource
from cpunet.training.data import (
    DataError,
    leaking_images,
    object_diameters,
    read_index,
    read_labelled_image,
    rows_of_split,
)

FIELDS = ["id", "modality", "split", "duplicate_of"]


def write_index(folder, *rows):
    folder.mkdir(parents=True)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(FIELDS)
        writer.writerows(rows)


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


@pytest.mark.parametrize("twin", ["plate_A1", "plate_A1_w1FF-09"])
@pytest.mark.parametrize("tested", ["val", "test"])
def test_an_image_whose_twin_is_tested_on_is_never_trained_on(tmp_path, twin, tested):
    write_index(tmp_path / "first", ("plate_A1", "f", "train", ""), ("plate_A11", "f", "train", ""))
    write_index(tmp_path / "second", ("x", "f", tested, twin), ("y", "f", "train", ""))
    sources = [DataSource("first"), DataSource("second")]
    assert ids(sources, tmp_path, "train") == [["plate_A11"], ["y"]]


@pytest.mark.parametrize("tested", ["val", "test"])
def test_the_same_the_other_way_round(tmp_path, tested):
    write_index(tmp_path / "first", ("plate_A1", "f", tested, ""), ("plate_B1", "f", "train", ""))
    write_index(tmp_path / "second", ("x", "f", "train", "plate_A1_w1FF"), ("y", "f", "train", "plate_B1_w1"))
    assert ids([DataSource("first"), DataSource("second")], tmp_path, "train") == [["plate_B1"], ["y"]]


def test_twins_are_told_apart_by_their_set(tmp_path):
    write_index(tmp_path / "first", ("1", "f", "val", ""))
    write_index(tmp_path / "second", ("1", "f", "train", ""), ("img", "f", "train", ""))
    write_index(tmp_path / "third", ("9", "f", "train", "first/1"), ("8", "f", "val", "second/img_2"))
    rows = [row for name in ("first", "second", "third") for row in read_index(tmp_path / name)]
    assert leaking_images(rows) == {("first", "1"), ("third", "9")}


def test_a_missing_index_column_or_split_is_named(tmp_path):
    with pytest.raises(DataError, match=r"index\.csv: there is no such file"):
        read_index(tmp_path)
    (tmp_path / "index.csv").write_text("id,modality\na,f\n")
    with pytest.raises(DataError, match="'split' is missing"):
        read_index(tmp_path)
    write_index(tmp_path / "set", ("a", "f", "train", ""))
    with pytest.raises(DataError, match="'val'"):
        rows_of_split([DataSource("set")], tmp_path, "val")


def test_labels_of_another_size_and_unreadable_images_are_named(tmp_path):
    write_index(tmp_path / "set", ("a", "f", "train", ""))
    row = read_index(tmp_path / "set")[0]
    with pytest.raises(DataError, match="a: the image or its labels cannot be read"):
        read_labelled_image(row)
    for folder, size in (("images", 8), ("labels", 9)):
        (tmp_path / "set" / folder).mkdir()
        imsave(str(tmp_path / "set" / folder / "a.png"), np.zeros((size, size), np.uint8), check_contrast=False)
    with pytest.raises(DataError, match=r"\(8, 8\) and its labels \(9, 9\)"):
        read_labelled_image(row)


def test_diameters_are_those_of_discs_of_the_same_area():
    labels = np.zeros((40, 40), np.int32)
    labels[:10, :10] = 2
    labels[20:, 20:] = 5
    np.testing.assert_allclose(object_diameters(labels), 2 * np.sqrt(np.array([100, 400]) / np.pi))
