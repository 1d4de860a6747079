import numpy as np
import pytest

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.drawn import labels_of_shapes
from cpunet.training.importing.formats.shapes import Polygons, ring_of

SHAPE = (40, 50)


def square(left, top, side):
    ring = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
    return Polygons(((ring_of(ring),),))


def test_of_objects_that_overlap_the_smaller_one_has_the_pixels():
    read = labels_of_shapes([square(5, 5, 4), square(2, 2, 12), square(30, 30, 5)], SHAPE)
    assert read.labels.max() == 3
    assert np.bincount(read.labels.ravel())[1:].tolist() == [144 - 16, 25, 16]
    assert read.overlap_px == 16
    assert read.note == "16 pixels lie in two objects; the smaller one has them, and 1 object lost pixels"


def test_an_object_that_others_cover_is_counted():
    read = labels_of_shapes([square(5, 5, 4), square(5, 5, 4)], SHAPE)
    assert read.labels.max() == 1
    assert read.note.endswith("and 1 object lost pixels, 1 of them all")


def test_objects_outside_at_the_edge_and_without_a_pixel_are_named():
    read = labels_of_shapes([square(5, 5, 4), square(-3, 10, 6), square(60, 5, 3), square(20.6, 20.6, 0.3)], SHAPE)
    assert read.labels.max() == 2
    assert read.overlap_px == 0
    assert read.note.split("; ") == [
        "1 of its 4 objects lie outside of the image, and are left out",
        "1 of its 4 objects reach beyond the edge of the image, and are cut there",
        "1 of its 4 objects enclose no center of a pixel, and are left out",
    ]


def test_no_object_is_said():
    read = labels_of_shapes([], SHAPE)
    assert not read.labels.any()
    assert read.note == "it holds no object"


def test_objects_of_another_image_are_refused_with_their_place():
    with pytest.raises(
        LabelFileError, match=r"2 of its 3 objects lie outside of the image, at x from 500 to 904 and y"
    ):
        labels_of_shapes([square(5, 5, 4), square(500, 5, 4), square(900, 70, 4)], SHAPE)


def test_objects_that_cover_everything_many_times_are_refused_before_they_fill_the_memory():
    with pytest.raises(LabelFileError, match="its first 21 objects cover each pixel of the image 20 times"):
        labels_of_shapes([square(0, 0, 60)] * 100, SHAPE)


def test_objects_in_one_corner_are_asked_about():
    corner = [square(2 + 4 * number, 3, 3) for number in range(5)]
    assert labels_of_shapes(corner, SHAPE).note.endswith("are they in micrometers, or of a smaller image?")
    assert labels_of_shapes([*corner, square(30, 3, 3)], SHAPE).note == ""
    assert labels_of_shapes(corner[:4], SHAPE).note == ""
