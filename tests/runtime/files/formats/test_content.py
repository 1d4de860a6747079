import shutil

import numpy as np
import PIL.Image
import pytest
import tifffile

from cpunet.errors import ImageError
from cpunet.files.images import read_image

GRAY = np.arange(200, dtype=np.uint8).reshape(10, 20)


@pytest.mark.parametrize("written", [".tif", ".png", ".bmp"])
@pytest.mark.parametrize("named", [".tif", ".png", ".jpg", ".dat"])
def test_the_content_counts_not_the_name(tmp_path, written, named):
    if written == ".tif":
        tifffile.imwrite(str(tmp_path / "a.tif"), GRAY)
    else:
        PIL.Image.fromarray(GRAY).save(tmp_path / f"a{written}")
    shutil.move(str(tmp_path / f"a{written}"), str(tmp_path / f"b{named}"))
    np.testing.assert_array_equal(read_image(tmp_path / f"b{named}"), GRAY)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy", ".jpg"])
@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"", r"the file is empty \(0 bytes\)"),
        (bytes(600), "begins with 512 zero bytes"),
        (b"PK\x03\x04rois", "ZIP archive, such as ImageJ's set of ROIs.*`cpunet data import`"),
        (b"Iout\0\0", "a ROI of ImageJ"),
        (b"ZISRAWFILE", "a Zeiss CZI file.*Save each plane as a TIFF"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"cell,area\n1,2\n", "this cannot be read as an image: it begins with b'cell,area"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, suffix, start, message):
    (tmp_path / f"a{suffix}").write_bytes(start)
    with pytest.raises(ImageError, match=rf"a\{suffix}: .*{message}"):
        read_image(tmp_path / f"a{suffix}")


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    with pytest.raises(ImageError, match="this is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="there is no such file"):
        read_image(tmp_path / "a.tif")
