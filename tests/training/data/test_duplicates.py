import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.checking.check import NEAR_DUPLICATE
from cpunet.training.config import DataSource
from cpunet.training.data.duplicates import (
    SAME_PICTURE,
    SeenImages,
    duplicate_families,
    fine_structure,
    leaking_images,
    pixel_sum,
)
from cpunet.training.data.labeled_images import read_index, rows_of_split
from tests.written_sets import write_index


def test_different_fields_are_no_duplicates_whatever_the_illumination():
    y, x = np.mgrid[:96, :96] / 96
    shade = 1 + y + x
    fields = [synthetic_field((96, 96), 4, 14, seed=seed).image * shade for seed in range(8)]
    thumbnails = np.stack([fine_structure(image, 64).ravel() for image in fields])
    likeness = thumbnails @ thumbnails.T
    assert likeness[~np.eye(8, dtype=bool)].max() < NEAR_DUPLICATE - 0.05
    np.testing.assert_allclose(np.diag(likeness), 1, rtol=1e-4)
    assert not fine_structure(np.full((50, 50), 7, np.uint8), 64).any()


def ids(sources, root, split):
    return [[row.id for row in rows] for rows in rows_of_split(sources, root, split)]


def test_duplicates_are_told_apart_by_their_set(tmp_path):
    write_index(tmp_path / "first", ("1", "f", "val", ""))
    write_index(tmp_path / "second", ("1", "f", "train", ""), ("img", "f", "train", ""))
    write_index(tmp_path / "third", ("9", "f", "train", "first/1"), ("8", "f", "val", "second/img_2"))
    rows = [row for name in ("first", "second", "third") for row in read_index(tmp_path / name)]
    assert leaking_images(rows) == {("first", "1"), ("third", "9")}


def test_two_duplicates_of_a_third_are_duplicates(tmp_path):
    write_index(tmp_path / "first", ("x", "f", "train", ""))
    write_index(tmp_path / "second", ("y", "f", "train", "first/x"), ("z", "f", "val", "first/x"))
    rows = [row for name in ("first", "second") for row in read_index(tmp_path / name)]
    assert leaking_images(rows) == {("first", "x"), ("second", "y"), ("second", "z")}


@pytest.mark.parametrize("names", [("first/x", "first/x"), ("first/x", "first/x_w1F"), ("x", "x")])
def test_two_duplicates_of_an_image_that_is_not_given_are_duplicates(tmp_path, names):
    duplicates = zip("yz", ("train", "val"), names, strict=True)
    rows = [(name, "f", split, duplicate) for name, split, duplicate in duplicates]
    write_index(tmp_path / "second", *rows, ("w", "f", "train", "first/other"))
    assert duplicate_families(read_index(tmp_path / "second")) == [{("second", "y"), ("second", "z")}]
    assert ids([DataSource("second")], tmp_path, "train") == [["w"]]


def test_the_sum_of_pixels_knows_values_and_shape_alone():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    same = [image.astype(np.float32), image.astype(np.uint16), np.repeat(image[..., None], 3, axis=2)]
    assert {pixel_sum(each) for each in same} == {pixel_sum(image)}
    assert pixel_sum(image.reshape(4, 3)) != pixel_sum(image)
    assert pixel_sum(image + 1) != pixel_sum(image)


def test_a_duplicate_is_found_by_its_pixels_or_its_fine_structure():
    images = np.random.default_rng(0).integers(0, 4095, (150, 70, 80)).astype(np.uint16)
    seen = SeenImages()
    for number, image in enumerate(images):
        assert seen.duplicate_of(image, f"i{number}") == ("", "")
    assert seen.duplicate_of(images[120].astype(np.float32), "same") == ("i120", "")
    duplicate, difference = seen.duplicate_of((images[140] // 16).astype(np.uint8), "near")
    assert duplicate == "i140"
    assert float(difference.removesuffix(")").rpartition(" ")[2]) > SAME_PICTURE
    noise = np.random.default_rng(1).normal(0, 400, images[0].shape)
    assert seen.duplicate_of(images[3] + noise, "another") == ("", "")
    even = [seen.duplicate_of(np.full((70, 80), value, np.uint8), f"even{value}") for value in (3, 9)]
    assert even == [("", "")] * 2
