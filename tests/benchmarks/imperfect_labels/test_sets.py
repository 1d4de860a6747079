"""Data sets with labels that have faults."""

import numpy as np
from skimage.io import imread

from benchmarks.imperfect_labels.sets import by_hand, rows_of, write_data_set
from cpunet.training.data.labeled_images import read_index
from tests.synthetic_data_set import write_data_set as write_true_set


def without_the_first(row):
    labels = by_hand(row)
    return np.where(labels == 1, 0, labels)


def test_the_images_stay_and_the_labels_are_those_given(tmp_path):
    write_true_set(tmp_path / "true", ["train"] * 9 + ["val"])
    rows = rows_of(tmp_path / "true", "train")
    write_data_set(rows, without_the_first, tmp_path / "other")
    written = {row.id: row for row in read_index(tmp_path / "other")}
    assert set(written) == {row.id for row in rows}
    assert {row.split for row in written.values()} == {"train", "val"}
    for row in rows:
        assert np.array_equal(imread(written[row.id].image_path), imread(row.image_path))
        assert np.array_equal(by_hand(written[row.id]), without_the_first(row))
