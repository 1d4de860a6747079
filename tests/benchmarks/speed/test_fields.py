import numpy as np
import pytest

from benchmarks.speed.fields import BLOCK_PX, Wanted, drawn_field, filled, make_fields
from tests.synthetic_data_set import write_data_set


@pytest.mark.parametrize(
    ("shape", "objects"), [((520, 696), 10), ((260, 348), 60), ((100, 900), 12), ((BLOCK_PX + 300, BLOCK_PX), 600)]
)
def test_a_drawn_field_has_about_as_many_objects_as_asked_for(shape, objects):
    image, labels = drawn_field(shape, objects, seed=0)
    assert (image.shape, image.dtype, labels.dtype) == (shape, np.float32, np.int32)
    assert 0 <= image.min() < image.max() <= 1
    found = len(np.unique(labels)) - 1
    assert 0.6 * objects <= found <= 1.6 * objects


def test_fields_differ_from_each_other_and_are_the_same_again():
    first, second = make_fields(Wanted((80, 90), 2))
    assert (first.image != second.image).any()
    again, _ = make_fields(Wanted((80, 90), 2))
    np.testing.assert_array_equal(first.image, again.image)


def test_tiles_fill_a_field_and_their_labels_are_numbered_on():
    tile = np.full((2, 3), 0.5, np.float32), np.array([[0, 1, 2], [0, 1, 2]], np.int32)
    image, labels = filled((3, 5), (2, 3), lambda: tile)
    assert (image == 0.5).all()
    assert labels.tolist() == [[0, 1, 2, 0, 3], [0, 1, 2, 0, 3], [0, 4, 5, 0, 6]]


def test_real_fields_are_put_side_by_side_and_cut(tmp_path):
    write_data_set(tmp_path / "set", ["val", "train", "val"])
    own, other = make_fields(Wanted((96, 96), 2, data=tmp_path / "set"))
    (mosaic,) = make_fields(Wanted((100, 150), data=tmp_path / "set"))
    assert mosaic.name == "set 100x150"
    np.testing.assert_array_equal(mosaic.image[:96, :96], own.image)
    np.testing.assert_array_equal(mosaic.image[:96, 96:], other.image[:, :54])
    np.testing.assert_array_equal(mosaic.image[96:, :96], own.image[:4])


def test_the_objects_of_real_fields_cannot_be_chosen(tmp_path):
    with pytest.raises(ValueError, match="drawn fields only"):
        make_fields(Wanted((96, 96), objects=5, data=tmp_path))


def test_real_fields_of_several_sizes_are_refused(tmp_path):
    from skimage.io import imsave

    write_data_set(tmp_path / "set", ["val", "val"])
    for folder, kind in (("images", np.uint8), ("labels", np.uint16)):
        imsave(str(tmp_path / "set" / folder / "f1.png"), np.zeros((50, 60), kind), check_contrast=False)
    with pytest.raises(ValueError, match="of one size"):
        make_fields(Wanted((96, 96), data=tmp_path / "set"))
