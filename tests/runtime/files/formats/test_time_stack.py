import numpy as np
import pytest
import tifffile

from cpunet.errors import ImageError, OptionError
from cpunet.files.formats.stored_image import as_shown
from cpunet.files.formats.time_stack import channel_number, is_time_stack, opened_time_stack
from cpunet.files.images import read_image
from tests.ome_files import ome_of_many

# Each pixel says its time, channel, row and column.
T, C, Y, X = 3, 2, 20, 30
STACK = np.fromfunction(lambda t, c, y, x: 1000 * t + 5000 * c + 20 * y + x, (T, C, Y, X), dtype=int).astype(np.uint16)
WRITERS = {
    "OME": {"ome": True, "metadata": {"axes": "TCYX"}},
    "OME, compressed": {"ome": True, "metadata": {"axes": "TCYX"}, "compression": "zlib"},
    "OME, tiles": {"ome": True, "metadata": {"axes": "TCYX"}, "tile": (16, 16)},
    "OME, big endian": {"ome": True, "metadata": {"axes": "TCYX"}, "byteorder": ">"},
    "BigTIFF": {"ome": True, "metadata": {"axes": "TCYX"}, "bigtiff": True},
    "ImageJ": {"imagej": True, "metadata": {"axes": "TCYX"}},
}


@pytest.mark.parametrize("options", WRITERS.values(), ids=WRITERS)
def test_each_frame_of_each_channel_is_read(options, tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(str(path), STACK, photometric="minisblack", **options)
    assert is_time_stack(path)
    with opened_time_stack(path) as stack:
        assert (stack.frames, stack.shape, stack.channels) == (T, (Y, X), ("1", "2"))
        for frame in range(T):
            for channel in range(C):
                pixels = as_shown(stack.read(frame, channel))
                np.testing.assert_array_equal(pixels, STACK[frame, channel])
                assert pixels.dtype == np.uint16
                assert pixels.dtype.isnative


def test_channels_before_times_are_told_apart(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(str(path), STACK.swapaxes(0, 1), ome=True, photometric="minisblack", metadata={"axes": "CTYX"})
    with opened_time_stack(path) as stack:
        np.testing.assert_array_equal(stack.read(2, 1).pixels, STACK[2, 1])
        np.testing.assert_array_equal(stack.read(1, 0).pixels, STACK[1, 0])


def test_an_uncompressed_stack_of_imagej_that_declares_one_page_is_read(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(str(path), STACK[:, 0], imagej=True, metadata={"axes": "TYX"})
    content = path.read_bytes()
    with tifffile.TiffFile(str(path)) as file:  # ImageJ writes only the first directory of a file above 4 GB
        page = file.pages[0]
        first = page.offset + 2 + 12 * len(page.tags)
    path.write_bytes(content[:first] + b"\0\0\0\0" + content[first + 4 :])
    with opened_time_stack(path) as stack:
        np.testing.assert_array_equal(stack.read(2).pixels, STACK[2, 0])


def test_color_white_as_zero_and_axes_of_length_1(tmp_path):
    color, white, one = (tmp_path / f"{name}.tif" for name in ("color", "white", "one"))
    rgb = np.stack([STACK[:, 0] % 250, STACK[:, 0] % 9, STACK[:, 0] % 5], axis=-1).astype(np.uint8)
    tifffile.imwrite(str(color), rgb, ome=True, photometric="rgb", metadata={"axes": "TYXS"})
    tifffile.imwrite(str(white), STACK[:, 0], ome=True, photometric="miniswhite", metadata={"axes": "TYX"})
    tifffile.imwrite(str(one), STACK[:, :1, None], ome=True, photometric="minisblack", metadata={"axes": "TCZYX"})
    for path, expected in ((color, rgb[1]), (white, 65535 - STACK[1, 0]), (one, STACK[1, 0])):
        with opened_time_stack(path) as stack:
            assert len(stack.channels) == 1
            np.testing.assert_array_equal(as_shown(stack.read(1)), expected)


def test_what_is_no_time_lapse_is_told(tmp_path):
    plain, depths, png, absent = (tmp_path / name for name in ("plain.tif", "depths.tif", "a.png", "absent.tif"))
    tifffile.imwrite(str(plain), STACK[0, 0])
    tifffile.imwrite(str(depths), STACK[:, 0], ome=True, metadata={"axes": "ZYX"})
    png.write_bytes(b"\x89PNG")
    ome_of_many(tmp_path, list(STACK[:, 0]), "T")
    assert not any(map(is_time_stack, (plain, depths, png, absent, tmp_path, tmp_path / "p0.ome.tif")))


def test_a_stack_that_was_cut_short_is_refused_also_where_its_first_plane_is_whole(tmp_path):
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(str(path), STACK[:, 0], ome=True, metadata={"axes": "TYX"})
    content = path.read_bytes()
    for share, reason in ((0.6, "this is cut short"), (0.9, "this holds 3 planes")):  # without its OME metadata
        path.write_bytes(content[: int(share * len(content))])
        assert not is_time_stack(path)
        with pytest.raises(ImageError, match=rf"stack.ome.tif: {reason}"):
            read_image(path)


def test_channels_by_name_and_number():
    assert channel_number(("DNA", "GFP"), "GFP") == channel_number(("DNA", "GFP"), "2") == 1
    assert channel_number(("2", "1"), "1") == 1  # a name goes before a number
    assert channel_number(("DNA",), None) == 0
    with pytest.raises(OptionError, match=r"2 channels \(1: DNA, 2: GFP\)"):
        channel_number(("DNA", "GFP"), None)
    for wanted in ("0", "3", "dna"):
        with pytest.raises(OptionError, match=f"--channel {wanted}: it has no such channel"):
            channel_number(("DNA", "GFP"), wanted)


def test_depths_and_several_time_lapses_are_refused(tmp_path):
    depths, several = tmp_path / "depths.tif", tmp_path / "several.tif"
    tifffile.imwrite(str(depths), STACK, ome=True, photometric="minisblack", metadata={"axes": "TZYX"})
    with tifffile.TiffWriter(str(several), ome=True) as file:
        for _ in range(2):
            file.write(STACK[:, 0], photometric="minisblack", metadata={"axes": "TYX"})
    with pytest.raises(ImageError, match=r"3 times \(T\) and 2 depths \(Z\).*Z Project"), opened_time_stack(depths):
        pass
    with pytest.raises(ImageError, match="this holds 2 images"), opened_time_stack(several):
        pass
