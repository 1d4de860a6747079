import hashlib
import importlib.util

import numpy as np
import pytest
import tifffile

from cpunet.files.images import read_image
from cpunet.training.data.labeled_images import read_index
from tests.import_sources import data, put, put_lzw
from tests.written_sets import RNG


def kinds():
    """Images of every type, as TIFF and, where it holds them, as PNG."""
    gray = (40, 50)
    for image in (RNG.integers(0, 255, gray, np.uint8), RNG.integers(0, 4095, gray, np.uint16)):
        yield image, ".png"
        yield image, ".tif"
    yield RNG.integers(0, 255, (*gray, 3), np.uint8), ".png"
    yield RNG.integers(0, 255, (*gray, 3), np.uint8), ".tif"
    yield RNG.integers(0, 60000, (*gray, 3), np.uint16), ".tif"
    yield RNG.integers(0, 2**31, gray, np.uint32), ".tif"
    yield RNG.integers(-9, 9, gray, np.int16), ".tif"
    yield RNG.random(gray, np.float32), ".tif"


@pytest.mark.parametrize(("image", "suffix"), list(kinds()), ids=lambda value: str(getattr(value, "dtype", value)))
def test_pixel_values_and_bit_depth_are_kept(tmp_path, image, suffix):
    path = put(tmp_path / "images" / f"a{suffix}", image)
    put(tmp_path / "labels/a.png", np.eye(40, 50, dtype=np.uint8))
    assert data("import", "--images", path.parent, "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    (row,) = read_index(tmp_path / "new")
    stored = read_image(row.image_path)
    assert stored.dtype == image.dtype
    np.testing.assert_array_equal(stored, image)
    # What is fine already is the very same file.
    assert hashlib.sha256(row.image_path.read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (np.dstack([RNG.integers(0, 255, (20, 30, 3), np.uint8), np.full((20, 30), 255, np.uint8)]), (20, 30, 3)),
        (np.repeat(RNG.integers(0, 255, (20, 30, 1), np.uint8), 3, axis=2), (20, 30)),
        (np.repeat(RNG.integers(0, 60000, (20, 30, 1), np.uint16), 3, axis=2), (20, 30)),
        (RNG.random((3, 20, 30)).astype(np.float32), (20, 30, 3)),
        (RNG.integers(0, 60000, (2, 20, 30), np.uint16), (20, 30, 2)),
    ],
    ids=["opaque alpha", "gray as RGB", "gray as 16-bit RGB", "channels first", "two channels first"],
)
def test_images_that_say_the_same_otherwise_are_written_anew(tmp_path, given, stored):
    put(tmp_path / "images/a.tif", given) if given.shape[2:] != (4,) else put(tmp_path / "images/a.png", given)
    put(tmp_path / "labels/a.png", np.eye(20, 30, dtype=np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    image = read_image(read_index(tmp_path / "new")[0].image_path)
    assert image.shape == stored
    assert image.dtype == given.dtype
    last = np.moveaxis(given, 0, 2) if given.shape[0] < 4 else given
    np.testing.assert_array_equal(image, last[..., 0] if len(stored) == 2 else last[..., : stored[2]])


@pytest.mark.skipif(
    importlib.util.find_spec("imagecodecs") is not None, reason="imagecodecs is installed, with which all bits are read"
)
def test_a_compressed_tiff_that_would_lose_bits_is_refused(tmp_path, capsys):
    image = RNG.integers(0, 60000, (20, 30, 3), np.uint16)
    put_lzw(tmp_path / "images/a.tif", image)
    put(tmp_path / "labels/a.png", np.eye(20, 30, dtype=np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 2
    assert "a.tif: this is compressed with LZW so that only 8 of its 16 bits can be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("array", "options", "stored"),
    [
        (RNG.integers(0, 200, (20, 30), np.uint8), {"photometric": "miniswhite"}, lambda array: 255 - array),
        (RNG.integers(0, 200, (1, 20, 30), np.uint8), {"photometric": "minisblack"}, lambda array: array[0]),
        (
            RNG.integers(0, 200, (3, 20, 30), np.uint8),
            {"photometric": "rgb", "planarconfig": "separate"},
            lambda array: np.moveaxis(array, 0, 2),
        ),
        (
            RNG.integers(0, 200, (20, 30, 4), np.uint8),
            {"photometric": "rgb", "extrasamples": ["unassalpha"]},
            lambda array: array[..., :3],
        ),
        (
            RNG.integers(0, 200, (20, 30, 4), np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
            lambda array: array,
        ),
    ],
    ids=["0 is white", "leading 1", "planar", "RGBA", "four channels"],
)
def test_a_data_set_holds_what_a_tiff_file_says(tmp_path, array, options, stored):
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images/a.tif", array, **options)
    put(tmp_path / "labels/a.png", np.eye(20, 30, dtype=np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    np.testing.assert_array_equal(read_image(read_index(tmp_path / "new")[0].image_path), stored(array))


def test_planes_taken_as_channels_are_said(tmp_path, capsys):
    put(tmp_path / "images/a.tif", RNG.integers(0, 60000, (2, 20, 30), np.uint16))
    put(tmp_path / "labels/a.png", np.eye(20, 30, dtype=np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert "a: its 2 planes, of which the file does not say what they are, are channels" in capsys.readouterr().out


def test_a_png_named_as_tiff_is_stored_by_its_content(tmp_path):
    put(tmp_path / "images/a.png", RNG.integers(0, 255, (20, 30), np.uint8)).rename(tmp_path / "images/a.tif")
    put(tmp_path / "labels/a.png", np.eye(20, 30, dtype=np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert read_index(tmp_path / "new")[0].image_path.suffix == ".png"
