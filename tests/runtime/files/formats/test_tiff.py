import importlib.util
import zlib

import numpy as np
import PIL.Image
import pytest
import tifffile

from cpunet.errors import ImageError
from cpunet.files.images import gray_of_equal_colors, read_image, read_label_numbers, read_stored
from tests.import_sources import put_lzw
from tests.ome_files import ome_of_many

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 200, (40, 50)).astype(np.uint8)
DEEP = RNG.integers(0, 4096, (40, 50)).astype(np.uint16)
COLOR = RNG.integers(0, 255, (40, 50, 3)).astype(np.uint8)
ALPHA = np.where(np.arange(40)[:, np.newaxis, np.newaxis] < 9, 7, 255).astype(np.uint8) * np.ones((1, 50, 1), np.uint8)
GRAYS = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
BLUES = GRAYS * np.array([[0], [0], [1]], np.uint16)


def written(path, array, **options):
    tifffile.imwrite(str(path), array, **options)
    return path


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (DEEP, {"byteorder": ">"}, DEEP),
        (DEEP, {"bigtiff": True}, DEEP),
        (DEEP, {"compression": "zlib", "predictor": True}, DEEP),
        (DEEP, {"tile": (16, 16)}, DEEP),
        (DEEP, {"extratags": [(274, "H", 1, 6)]}, DEEP),
        (DEEP[np.newaxis], {"photometric": "minisblack"}, DEEP),
        (DEEP[np.newaxis, np.newaxis], {"photometric": "minisblack"}, DEEP),
        (DEEP[np.newaxis, np.newaxis, np.newaxis], {"ome": True, "metadata": {"axes": "TCZYX"}}, DEEP),
        (DEEP[..., np.newaxis], {}, DEEP),
        (GRAY, {"photometric": "miniswhite"}, 255 - GRAY),
        (DEEP, {"photometric": "miniswhite"}, 65535 - DEEP),
        (GRAY > 99, {"photometric": "miniswhite"}, GRAY <= 99),
        (COLOR, {"photometric": "rgb"}, COLOR),
        (np.moveaxis(COLOR, 2, 0), {"photometric": "rgb", "planarconfig": "separate"}, COLOR),
        (np.dstack([COLOR, ALPHA]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, COLOR),
        (np.dstack([COLOR, ALPHA]), {"photometric": "rgb", "extrasamples": ["unspecified"]}, COLOR),
        (
            np.moveaxis(np.dstack([COLOR, ALPHA]), 2, 0),
            {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["unassalpha"]},
            COLOR,
        ),
        (
            np.dstack([GRAY, ALPHA]),
            {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
            GRAY,
        ),
        (np.dstack([COLOR, ALPHA]), {"photometric": "minisblack", "planarconfig": "contig"}, np.dstack([COLOR, ALPHA])),
        (np.dstack([DEEP, DEEP // 2]), {}, np.dstack([DEEP, DEEP // 2])),
        (np.stack([DEEP, DEEP // 2]), {"imagej": True, "metadata": {"axes": "CYX"}}, np.dstack([DEEP, DEEP // 2])),
        (
            np.stack([DEEP, DEEP // 2]),
            {"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}},
            np.dstack([DEEP, DEEP // 2]),
        ),
        (GRAY, {"photometric": "palette", "colormap": BLUES}, np.dstack([GRAY * 0, GRAY * 0, GRAY])),
        (GRAY / 255, {}, GRAY / 255),
        (DEEP.astype(np.int16) - 99, {}, DEEP.astype(np.int16) - 99),
    ],
    ids=[
        "big-endian",
        "BigTIFF",
        "predictor",
        "tiles",
        "turned by a tag, as CellProfiler: not turned",
        "leading 1",
        "two leading 1",
        "OME with axes of 1",
        "trailing 1",
        "0 is white, 8 bits",
        "0 is white, 16 bits",
        "0 is white, 1 bit",
        "RGB",
        "planar RGB",
        "RGBA",
        "RGB and a sample",
        "planar RGBA",
        "gray and alpha",
        "four channels",
        "two channels last",
        "ImageJ channels",
        "OME channels",
        "palette",
        "float64",
        "int16",
    ],
)
def test_an_image_is_read_as_its_file_says(tmp_path, array, options, expected):
    image = read_image(written(tmp_path / "a.tif", array, **options))
    assert image.dtype == expected.dtype
    assert image.dtype.isnative
    np.testing.assert_array_equal(image, expected)


def test_a_gray_palette_is_gray_and_labels_are_the_stored_numbers(tmp_path):
    path = written(tmp_path / "a.tif", GRAY, photometric="palette", colormap=GRAYS)
    np.testing.assert_array_equal(gray_of_equal_colors(read_image(path)), GRAY)
    colors = RNG.integers(1, 65535, (3, 256)).astype(np.uint16)
    for options in ({"photometric": "palette", "colormap": colors}, {"photometric": "miniswhite"}):
        np.testing.assert_array_equal(read_label_numbers(written(tmp_path / "a.tif", GRAY, **options)), GRAY)


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.stack([DEEP] * 3), {"photometric": "minisblack"}, r"3 planes of which the file does not say what .*axes Q"),
        (np.stack([DEEP] * 9), {"photometric": "minisblack", "metadata": None}, r"9 planes of which the file does"),
        (np.stack([DEEP] * 5), {"imagej": True, "metadata": {"axes": "ZYX"}}, r"5 depths \(Z\) .*Process as 3D"),
        (np.stack([DEEP] * 2), {"imagej": True, "metadata": {"axes": "TYX"}}, r"2 times \(T\)"),
        (np.stack([[DEEP] * 2] * 3), {"imagej": True, "metadata": {"axes": "ZCYX"}}, r"3 depths .* and 2 channels"),
        (COLOR, {"photometric": "cielab"}, "CIELAB"),
        (GRAY / 255, {"photometric": "miniswhite"}, "0 is white .* float64"),
    ],
    ids=["planes", "pages", "depths", "times", "depths and channels", "CIELAB", "white fractions"],
)
def test_what_is_not_one_plane_of_light_is_refused_by_its_right_name(tmp_path, array, options, message):
    with pytest.raises(ImageError, match=rf"a\.tif: .*{message}"):
        read_image(written(tmp_path / "a.tif", array, **options))


def test_planes_become_channels_only_where_that_is_asked_for_and_said(tmp_path):
    path = written(tmp_path / "a.tif", np.stack([DEEP, DEEP // 2]), photometric="minisblack")
    stored = read_stored(path, take_planes_as_channels=True)
    np.testing.assert_array_equal(stored.pixels, np.dstack([DEEP, DEEP // 2]))
    assert "2 planes, of which the file does not say what they are, are channels" in stored.note


@pytest.mark.parametrize("first", [True, False], ids=["preview first", "preview last"])
@pytest.mark.parametrize("flag", [0, 1], ids=["unsaid", "said"])
def test_a_preview_is_never_taken_for_the_image(tmp_path, first, flag):
    preview = (DEEP[::8, ::8], {"subfiletype": flag, "metadata": None})
    pages = [preview, (DEEP, {"metadata": None})]
    with tifffile.TiffWriter(str(tmp_path / "a.tif")) as writer:
        for page, options in pages if first else pages[::-1]:
            writer.write(page, **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), DEEP)


def test_a_pyramid_gives_its_full_size(tmp_path):
    with tifffile.TiffWriter(str(tmp_path / "a.ome.tif")) as writer:
        writer.write(DEEP, subifds=1)
        writer.write(DEEP[::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif"), DEEP)


@pytest.mark.parametrize("second", [DEEP // 2, DEEP[:30, :40]], ids=["same size", "other size"])
def test_of_two_images_none_is_chosen_in_silence(tmp_path, second):
    with tifffile.TiffWriter(str(tmp_path / "a.tif")) as writer:
        writer.write(DEEP)
        writer.write(second)
    with pytest.raises(ImageError, match=r"a\.tif: this holds 2 images \(1: 50 x 40 pixels, 2: .* Save each"):
        read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", series=1), DEEP)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif", series=2), second)
    for number in (0, 3):
        with pytest.raises(ImageError, match=f"and none is number {number}"):
            read_image(tmp_path / "a.tif", series=number)


@pytest.mark.parametrize("axis", ["T", "C", "Z"])
@pytest.mark.parametrize("alone", [False, True], ids=["with its companions", "alone"])
def test_a_file_of_a_set_of_ome_files_gives_its_own_plane(tmp_path, axis, alone, capfd):
    planes = [DEEP, DEEP // 2, DEEP // 3]
    ome_of_many(tmp_path, planes, axis)
    for number in (0, 1):
        if alone:
            (tmp_path / f"p{number}.ome.tif").unlink()
    for number in (2,) if alone else (0, 1, 2):
        stored = read_stored(tmp_path / f"p{number}.ome.tif")
        np.testing.assert_array_equal(stored.pixels, planes[number])
        assert stored.changed, "a copy would still name files that are not beside it"
    assert capfd.readouterr().err == ""


def test_a_renamed_ome_file_is_itself(tmp_path):
    tifffile.imwrite(str(tmp_path / "a.ome.tif"), np.stack([DEEP, DEEP // 2]), ome=True, metadata={"axes": "CYX"})
    (tmp_path / "a.ome.tif").rename(tmp_path / "b.tif")
    assert read_image(tmp_path / "b.tif").shape == (40, 50, 2)


@pytest.mark.parametrize(
    ("picture", "compression", "expected"),
    [
        (PIL.Image.fromarray(DEEP), "tiff_lzw", DEEP),
        (PIL.Image.fromarray(COLOR), "tiff_lzw", COLOR),
        (PIL.Image.fromarray((GRAY / 255).astype(np.float32)), "tiff_lzw", (GRAY / 255).astype(np.float32)),
        (PIL.Image.fromarray(np.dstack([COLOR, ALPHA])), "tiff_lzw", COLOR),
        (PIL.Image.fromarray(GRAY > 99), "group4", GRAY > 99),
        (PIL.Image.fromarray(GRAY), "packbits", GRAY),
    ],
    ids=["LZW 16 bits", "LZW RGB", "LZW float", "LZW RGBA", "fax", "PackBits"],
)
def test_a_compression_that_tifffile_alone_lacks_loses_nothing(tmp_path, picture, compression, expected):
    picture.save(tmp_path / "a.tif", compression=compression)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)


@pytest.mark.skipif(importlib.util.find_spec("imagecodecs") is not None, reason="imagecodecs reads all bits")
def test_a_compression_of_which_bits_would_be_lost_is_refused(tmp_path):
    path = put_lzw(tmp_path / "a.tif", COLOR.astype(np.uint16) * 257)
    with pytest.raises(ImageError, match=r"a\.tif: this is compressed with LZW so that only 8 of its 16 bits can"):
        read_image(path)


def test_cmyk_is_no_transparency(tmp_path):
    PIL.Image.fromarray(COLOR).convert("CMYK").save(tmp_path / "a.tif", compression="tiff_lzw")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), COLOR)


def test_labels_compressed_with_loss_are_refused_and_images_are_not(tmp_path):
    PIL.Image.fromarray(GRAY).save(tmp_path / "a.tif", compression="jpeg")
    assert read_image(tmp_path / "a.tif").shape == (40, 50)
    with pytest.raises(ImageError, match=r"compressed with JPEG, which changes numbers"):
        read_label_numbers(tmp_path / "a.tif")


def with_tag(path, tag, value):
    """Change the value of a tag of a small TIFF file."""
    with tifffile.TiffFile(str(path), mode="r+b") as file:
        file.pages[0].tags[tag].overwrite(value)
    return path


def test_an_unknown_compression_is_named(tmp_path):
    path = with_tag(written(tmp_path / "a.tif", DEEP), "Compression", 50002)
    with pytest.raises(
        ImageError, match=r"a\.tif: its pixels are compressed with (JPEGXL|50002) .*without compression"
    ):
        read_image(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"rowsperstrip": 8}], ids=["plain", "ZIP", "strips"])
def test_a_file_cut_short_is_refused(tmp_path, share, options):
    whole = written(tmp_path / "a.tif", DEEP, **options).read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError, match=r"a\.tif: "):
        read_image(tmp_path / "a.tif")


def test_strips_that_were_never_written_are_not_black_pixels(tmp_path):
    path = written(tmp_path / "a.tif", DEEP, rowsperstrip=8, compression="zlib")
    with tifffile.TiffFile(str(path)) as file:
        counts = list(file.pages[0].databytecounts)
    with_tag(path, "StripByteCounts", [0, *counts[1:]])
    with pytest.raises(ImageError, match=r"lacks pixels: 1 of its 5 strips or tiles"):
        read_image(path)


def test_fewer_bytes_than_pixels_are_not_black_pixels(tmp_path):
    path = with_tag(written(tmp_path / "a.tif", DEEP, metadata=None), "ImageLength", 60)
    with pytest.raises(ImageError, match=r"lacks pixels: it holds 4000 bytes of them, and its size needs 6000"):
        read_image(path)


def test_a_strip_that_would_fill_the_memory_is_not_unpacked(tmp_path):
    bomb = zlib.compress(bytes(50_000_000), 9)
    path = written(tmp_path / "a.tif", np.frombuffer(bomb, np.uint8)[np.newaxis], metadata=None)
    for tag, value in (("ImageWidth", 50), ("ImageLength", 40), ("RowsPerStrip", 40), ("Compression", 8)):
        with_tag(path, tag, value)
    with pytest.raises(ImageError, match=r"bytes for 2000 bytes of pixels; it is damaged, or made to fill the memory"):
        read_image(path)


def test_a_palette_that_is_missing_is_said(tmp_path):
    path = with_tag(written(tmp_path / "a.tif", GRAY), "PhotometricInterpretation", 3)
    with pytest.raises(ImageError, match="has no palette"):
        read_image(path)


@pytest.mark.parametrize("reader", [read_image, read_label_numbers])
def test_more_pixels_than_memory_are_refused_before_they_are_read(tmp_path, reader):
    path = written(tmp_path / "a.tif", GRAY)
    with_tag(with_tag(path, "ImageWidth", 4_000_000), "ImageLength", 4_000_000)
    with pytest.raises(ImageError, match=r"declares 4000000 x 4000000 pixels, .* are free"):
        reader(path)
