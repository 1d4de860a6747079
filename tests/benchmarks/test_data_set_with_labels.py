"""Data sets of some images, with other labels."""

import numpy as np
from skimage.io import imread, imsave

from benchmarks.data_set_with_labels import by_hand, write_data_set
from cpunet.training.data.labeled_images import read_index
from tests.synthetic_data_set import write_data_set as write_true_set


def without_the_first(row):
    labels = by_hand(row)
    return np.where(labels == 1, 0, labels)


def test_the_images_stay_and_the_labels_are_those_given(tmp_path):
    write_true_set(tmp_path / "true", ["train"] * 9 + ["val"])
    rows = [row for row in read_index(tmp_path / "true") if row.split == "train"]
    write_data_set(rows, tmp_path / "other", without_the_first)
    written = {row.id: row for row in read_index(tmp_path / "other")}
    assert set(written) == {row.id for row in rows}
    assert {row.split for row in written.values()} == {"train", "val"}
    for row in rows:
        assert np.array_equal(imread(written[row.id].image_path), imread(row.image_path))
        assert np.array_equal(by_hand(written[row.id]), without_the_first(row))


def test_splits_are_those_of_an_import(tmp_path):
    write_true_set(tmp_path / "drawn", ["train"] * 12)
    rows = read_index(tmp_path / "drawn")
    for number, splits in ((6, {"train": 6}), (12, {"train": 10, "val": 2})):
        folder = tmp_path / f"new{number}"
        write_data_set(rows[:number], folder)
        found = [row.split for row in read_index(folder)]
        assert {split: found.count(split) for split in set(found)} == splits
    imsave(str(folder / "images" / "f0.png"), np.zeros((96, 96), np.uint8), check_contrast=False)
    write_data_set(rows, folder)  # one that is there stays
    assert len(read_index(folder)) == 12
