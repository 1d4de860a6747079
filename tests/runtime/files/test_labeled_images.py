import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from cpunet.errors import DataError, ImageError, OptionError
from cpunet.files.labeled_images import LabeledFiles, pairs_in_folder, pairs_of_files, read_labeled_image


@pytest.fixture
def folder(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for name in ("b", "a", "unlabeled"):
        imsave(str(tmp_path / "images" / f"{name}.png"), np.zeros((4, 5), np.uint8), check_contrast=False)
    for name in ("a", "b", "without_image"):
        tifffile.imwrite(str(tmp_path / "labels" / f"{name}.tif"), np.zeros((4, 5), np.uint16))
    (tmp_path / "images" / "._a.png").touch()
    return tmp_path


def test_files_of_one_name_belong_together(folder):
    pairs = pairs_in_folder(folder)
    assert [(each.image.name, each.labels.name) for each in pairs] == [("a.png", "a.tif"), ("b.png", "b.tif")]


def test_images_that_an_index_keeps_back_are_left_out(folder):
    index = folder / "index.csv"
    index.write_text("\ufeffid,split\na,test\nb,val\nunlabeled,train\n", encoding="utf-8")
    assert [each.image.name for each in pairs_in_folder(folder)] == ["b.png"]
    index.write_text("id,split\na,test\nb,excluded\n")
    with pytest.raises(DataError, match="keeps all images back"):
        pairs_in_folder(folder)
    index.write_text("name\na\n")
    assert len(pairs_in_folder(folder)) == 2
    index.write_bytes(b"id,split\n\xff,test\n")
    with pytest.raises(DataError, match="no CSV file in UTF-8"):
        pairs_in_folder(folder)


def test_a_folder_that_is_no_data_set_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="there is no folder 'images' in it"):
        pairs_in_folder(tmp_path / "elsewhere")
    for path in (folder / "labels").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"no file in images/ .* has one of the same name"):
        pairs_in_folder(folder)


def test_files_are_paired_in_their_order(tmp_path):
    first, second = tmp_path / "1.tif", tmp_path / "2.tif"
    assert pairs_of_files([first], [second]) == [LabeledFiles(first, second)]
    with pytest.raises(OptionError, match="2 images and 1 label images"):
        pairs_of_files([first, second], [first])


def test_labels_are_numbered_without_gaps(folder):
    labels = np.array([[0, 7, 7, 0, 900]] * 4, np.uint16)
    tifffile.imwrite(str(folder / "labels" / "a.tif"), labels)
    read = read_labeled_image(pairs_in_folder(folder)[0])
    assert read.labels.dtype == np.int32
    assert read.labels[0].tolist() == [0, 1, 1, 0, 2]
    assert read.image.shape == (4, 5)
    tifffile.imwrite(str(folder / "labels" / "a.tif"), np.full((4, 5), 3, np.uint16))
    assert (read_labeled_image(pairs_in_folder(folder)[0]).labels == 1).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((5, 4), np.uint16), r"shape \(5, 4\), and its image \(4, 5\)"),
        (np.zeros((4, 5), np.float32), "float32 values"),
        (np.full((4, 5), -1, np.int16), "int16 values from -1 on"),
        (np.zeros((4, 5, 3), np.uint8) + np.arange(3, dtype=np.uint8), r"shape \(4, 5, 3\)"),
    ],
    ids=["size", "fractions", "negative", "color"],
)
def test_labels_that_cannot_be_are_refused(folder, labels, message):
    tifffile.imwrite(str(folder / "labels" / "a.tif"), labels)
    with pytest.raises(DataError, match=message):
        read_labeled_image(pairs_in_folder(folder)[0])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"none\.png: there is no such file"):
        read_labeled_image(LabeledFiles(tmp_path / "none.png", tmp_path / "none.png"))
