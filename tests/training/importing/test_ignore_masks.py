import re

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from cpunet.__main__ import main
from cpunet.training.checking.check import check_data
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.importing.data_set import ImportOptions, import_pairs, pair_sources
from tests.synthetic_data_set import write_data_set


@pytest.fixture
def drawn(tmp_path):
    """Three labeled fields, of which the first has a mask of its left half."""
    write_data_set(tmp_path / "drawn", ["train", "train", "val"])
    folder = tmp_path / "masks"
    folder.mkdir()
    mask = np.zeros((96, 96), np.uint8)
    mask[:, :48] = 255
    imsave(str(folder / "f0.png"), mask, check_contrast=False)
    return tmp_path


def import_folders(root, *more):
    return main(
        [
            "data",
            "import",
            "--images",
            str(root / "drawn/images"),
            "--labels",
            str(root / "drawn/labels"),
            "--ignore",
            str(root / "masks"),
            "-o",
            str(root / "new"),
            *more,
        ]
    )


def ignored(folder):
    return {row.id: float((read_labeled_image(row).labels == -1).mean()) for row in read_index(folder)}


def test_masks_survive_import_check_and_split(drawn, capsys):
    assert import_folders(drawn) == 0
    assert "1 of 3 images are labeled in part" in capsys.readouterr().out
    assert ignored(drawn / "new") == {"f0": 0.5, "f1": 0, "f2": 0}
    import_pairs(pair_sources([drawn / "new"]), drawn / "again", ImportOptions())
    assert main(["data", "split", str(drawn / "again"), "--random", "--fractions", "train=0.6", "val=0.4"]) == 0
    assert ignored(drawn / "again") == {"f0": 0.5, "f1": 0, "f2": 0}
    assert not check_data([drawn / "again"]).errors


def test_minus_one_in_whole_numbers_is_a_mask(drawn):
    for number in range(3):
        labels = read_labeled_image(read_index(drawn / "drawn")[number]).labels.astype(np.int16)
        labels[:24] = -1
        (drawn / "drawn" / "labels" / f"f{number}.png").unlink()
        tifffile.imwrite(drawn / "drawn" / "labels" / f"f{number}.tif", labels)
    assert import_folders(drawn) == 0
    assert ignored(drawn / "new") == {"f0": 0.625, "f1": 0.25, "f2": 0.25}


@pytest.mark.parametrize(
    ("rename", "message"),
    [("f0_mask.png", "no image of the name 'f0_mask'"), ("f0.txt", "one mask .PNG or TIFF. for each name")],
)
def test_a_mask_of_no_image_is_named(drawn, capsys, rename, message):
    (drawn / "masks" / "f0.png").rename(drawn / "masks" / rename)
    assert import_folders(drawn) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (drawn / "new").exists()


def test_masks_go_with_images(drawn, capsys):
    arguments = ["data", "import", str(drawn / "drawn"), "--ignore", str(drawn / "masks"), "-o", str(drawn / "new")]
    assert main(arguments) == 2
    assert "--ignore goes with --images" in capsys.readouterr().err


def test_the_check_names_a_mask_of_another_size_and_one_of_no_image(drawn):
    assert import_folders(drawn) == 0
    imsave(str(drawn / "new/ignore/f1.png"), np.zeros((5, 5), np.uint8), check_contrast=False)
    imsave(str(drawn / "new/ignore/other.png"), np.zeros((5, 5), np.uint8), check_contrast=False)
    found = {finding.kind: finding for finding in check_data([drawn / "new"]).findings}
    assert found["ignore"].severity == "error"
    assert "(5, 5)" in found["ignore"].what
    assert "other.png" in found["stray"].what


def test_the_check_tells_of_objects_without_labels(drawn):
    for row in read_index(drawn / "drawn"):
        labels = read_labeled_image(row).labels
        few = np.where(labels <= 3, labels, 0).astype(np.uint16)
        imsave(str(row.labels_path), few, check_contrast=False)
    kinds = [finding.kind for finding in check_data([drawn / "drawn"]).findings]
    assert kinds.count("unlabeled") == 2  # in the third field the others touch, and look like no single nucleus
