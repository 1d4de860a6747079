import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from cpunet.errors import DataError
from cpunet.training.config import config_from_dict
from cpunet.training.data.ignored_pixels import continued, read_ignore_mask
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.facts import data_sum
from cpunet.training.patches.sources import read_sources
from cpunet.training.planning.set_facts import look_at_set
from tests.synthetic_data_set import SMALL, write_data_set


def ignoring(folder, name, mask, suffix=".png"):
    (folder / "ignore").mkdir(exist_ok=True)
    path = folder / "ignore" / f"{name}{suffix}"
    if suffix == ".png":
        imsave(str(path), mask.astype(np.uint8) * 255, check_contrast=False)
    else:
        tifffile.imwrite(path, mask.astype(np.uint8))
    return path


def left_half():
    mask = np.zeros((96, 96), bool)
    mask[:, :48] = True
    return mask


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_mask_beside_the_labels_marks_what_nobody_labeled(tmp_path, suffix):
    write_data_set(tmp_path / "drawn", ["train", "val"])
    whole = read_labeled_image(read_index(tmp_path / "drawn")[0]).labels
    ignoring(tmp_path / "drawn", "f0", left_half(), suffix)
    first, second = read_index(tmp_path / "drawn")
    labels = read_labeled_image(first).labels
    assert (labels[:, :48] == -1).all()
    np.testing.assert_array_equal(labels[:, 48:], whole[:, 48:])
    assert read_labeled_image(second).labels.min() == 0


def test_a_mask_of_another_size_is_named(tmp_path):
    write_data_set(tmp_path / "drawn", ["train"])
    path = ignoring(tmp_path / "drawn", "f0", left_half()[:-1])
    with pytest.raises(DataError, match=r"ignore/f0\.png: .*\(95, 96\), and its image \(96, 96\)"):
        read_labeled_image(read_index(tmp_path / "drawn")[0])
    with pytest.raises(DataError, match="must agree"):
        read_ignore_mask(path, (96, 96))


def test_another_mask_is_another_data_set(tmp_path):
    write_data_set(tmp_path / "drawn", ["train"])
    rows = read_index(tmp_path / "drawn")
    whole = data_sum(rows)
    ignoring(tmp_path / "drawn", "f0", left_half())
    part = data_sum(rows)
    ignoring(tmp_path / "drawn", "f0", ~left_half())
    assert len({whole, part, data_sum(rows)}) == 3


def test_what_nobody_labeled_is_measured_nowhere(tmp_path):
    write_data_set(tmp_path / "drawn", ["train", "train", "val"])
    for name in ("f0", "f1"):
        ignoring(tmp_path / "drawn", name, left_half())
    rows, (patches,), _ = read_sources(config_from_dict(SMALL), tmp_path)
    labels = [read_labeled_image(row).labels for row in rows[0]]
    facts = look_at_set(tmp_path / "drawn")
    assert facts.objects == sum(len(np.unique(each[each > 0])) for each in labels)
    shares = [np.mean(each[each >= 0] > 0) for each in labels]
    assert facts.foreground == pytest.approx(np.percentile(shares, 5))
    for patch, each in zip(patches, labels, strict=True):
        np.testing.assert_array_equal(patch.labels == -1, each == -1)
        assert sorted(np.unique(patch.labels)) == list(range(-1, patch.labels.max() + 1))


def test_an_object_goes_on_where_nobody_labeled():
    labels = np.array([[3, 3, -1, -1], [0, 0, -1, -1], [0, 0, 0, -1]])
    assert continued(labels).tolist() == [[3, 3, 3, 3], [0, 0, 0, 0], [0, 0, 0, 0]]
    nothing = np.full((2, 2), -1)
    assert not continued(nothing).any()
