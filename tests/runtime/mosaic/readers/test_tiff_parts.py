"""Parts of TIFF files are what `read_image` reads of the whole."""

import numpy as np
import pytest
import tifffile

from cpunet.errors import ImageError
from cpunet.files.images import read_image
from cpunet.mosaic.readers import tiff_parts
from cpunet.mosaic.readers.open_mosaic import open_mosaic

GRAY = np.random.default_rng(0).integers(0, 60000, (150, 170)).astype(np.uint16)
COLOR = np.random.default_rng(1).integers(0, 255, (150, 170, 3)).astype(np.uint8)
TILES = {"tile": (64, 32), "compression": "zlib"}
WAYS = {
    "contiguous": (GRAY, {}),
    "big-endian": (GRAY.astype(">u2"), {"byteorder": ">"}),
    "strips": (GRAY, {"compression": "zlib", "rowsperstrip": 13}),
    "tiles": (GRAY, TILES),
    "tiles without compression": (GRAY, {"tile": (64, 32)}),
    "predictor": (GRAY, {**TILES, "predictor": True}),
    "fractions": (GRAY.astype(np.float32) / 7, TILES),
    "white is 0": (GRAY, {**TILES, "photometric": "miniswhite"}),
    "palette": (
        COLOR[..., 0],
        {**TILES, "photometric": "palette", "colormap": np.arange(768, dtype=np.uint16).reshape(3, 256) * 80},
    ),
    "color": (COLOR, {**TILES, "photometric": "rgb"}),
    "color, plane by plane": (
        np.moveaxis(COLOR, 2, 0),
        {**TILES, "photometric": "rgb", "planarconfig": "separate"},
    ),
    "color, contiguous, plane by plane": (
        np.moveaxis(COLOR, 2, 0),
        {"photometric": "rgb", "planarconfig": "separate"},
    ),
    "color with alpha": (
        np.dstack([COLOR, COLOR[..., :1]]),
        {**TILES, "photometric": "rgb", "extrasamples": ["unassalpha"]},
    ),
    "channels": (np.stack([GRAY, GRAY[::-1]]), {**TILES, "metadata": {"axes": "CYX"}, "ome": True}),
    "contiguous channels": (np.stack([GRAY, GRAY[::-1]]), {"metadata": {"axes": "CYX"}, "ome": True}),
}


@pytest.mark.parametrize("way", WAYS)
def test_parts_are_those_of_the_whole(way, tmp_path):
    pixels, how = WAYS[way]
    how = dict(how)
    path = tmp_path / "image.tif"
    file = {name: how.pop(name) for name in ("byteorder", "ome") if name in how}
    with tifffile.TiffWriter(str(path), **file) as writer:
        writer.write(pixels, **how)
    whole = read_image(path)
    with open_mosaic(path) as image:
        assert image.shape == whole.shape
        assert image.dtype == whole.dtype
        for rows, columns in [((0, 150), (0, 170)), ((60, 70), (30, 66)), ((149, 150), (169, 170)), ((0, 1), (5, 165))]:
            part = image.read(slice(*rows), slice(*columns))
            assert part.dtype == whole.dtype
            np.testing.assert_array_equal(part, whole[slice(*rows), slice(*columns)])


def test_a_pyramid_is_read_at_its_highest_resolution(tmp_path):
    path = tmp_path / "pyramid.ome.tif"
    with tifffile.TiffWriter(str(path), ome=True) as writer:
        writer.write(GRAY, subifds=1, metadata={"axes": "YX"}, **TILES)
        writer.write(GRAY[::2, ::2], subfiletype=1, **TILES)
    with open_mosaic(path) as image:
        np.testing.assert_array_equal(image.read(slice(0, 150), slice(0, 170)), GRAY)


def test_few_tiles_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_parts, "CACHE_BYTES", 3 * 64 * 32 * 2)
    path = tmp_path / "image.tif"
    tifffile.imwrite(str(path), GRAY, **TILES)
    with open_mosaic(path) as image:
        for _ in range(2):
            np.testing.assert_array_equal(image.read(slice(0, 150), slice(0, 170)), GRAY)
        assert sum(segment.nbytes for segment in image._cache.values()) <= 3 * 64 * 32 * 2


def test_one_large_compressed_strip_is_refused_with_a_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_parts, "LARGEST_SEGMENT_BYTES", 1000)
    path = tmp_path / "image.tif"
    tifffile.imwrite(str(path), GRAY, compression="zlib", rowsperstrip=150)
    with pytest.raises(ImageError, match="Save it in tiles"), open_mosaic(path):
        pass


@pytest.mark.parametrize("content", [b"", b"II*\0" + bytes(20), b"no image"], ids=["empty", "damaged", "text"])
def test_what_is_no_image_is_named(content, tmp_path):
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"image\.tif"), open_mosaic(path):
        pass


def test_a_stack_is_refused(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(str(path), np.zeros((9, 20, 30), np.uint8))
    with pytest.raises(ImageError, match="one plane is needed"), open_mosaic(path):
        pass
