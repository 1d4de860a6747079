import numpy as np
import pytest

from cpunet.errors import ImageError
from cpunet.files.images import read_image, read_label_numbers

PLANE = np.arange(30, dtype=np.uint16).reshape(5, 6)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (PLANE, PLANE),
        (np.asfortranarray(PLANE), PLANE),
        (PLANE.astype(">u2"), PLANE),
        (PLANE[np.newaxis], PLANE),
        (PLANE[..., np.newaxis], PLANE),
        (np.dstack([PLANE] * 3), np.dstack([PLANE] * 3)),
        (PLANE > 4, PLANE > 4),
    ],
    ids=["plane", "columns first", "big-endian", "leading 1", "trailing 1", "channels", "mask"],
)
def test_a_plane_is_read(tmp_path, array, expected):
    np.save(tmp_path / "a.npy", array)
    image = read_image(tmp_path / "a.npy")
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array({"masks": PLANE}, object), r"a_seg\.npy: this holds Python objects.*Save masks as PNG/tif"),
        (np.zeros((9, 40, 50)), r"shape \(9, 40, 50\), and NPY does not say what its axes are"),
        (np.array(["nuclei"]), "holds <U6 values"),
        (np.zeros((3, 4), [("y", float), ("x", float)]), "values; an image of real numbers is needed"),
    ],
    ids=["Cellpose's", "stack", "text", "table"],
)
@pytest.mark.parametrize("reader", [read_image, read_label_numbers])
def test_what_is_no_plane_is_refused(tmp_path, reader, array, message):
    np.save(tmp_path / "a_seg.npy", array)
    with pytest.raises(ImageError, match=message):
        reader(tmp_path / "a_seg.npy")


def test_a_file_cut_short_or_larger_than_memory_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", PLANE)
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-9])
    with pytest.raises(ImageError, match="cut short: it declares 60 bytes of pixels and holds 51"):
        read_image(tmp_path / "a.npy")
    with (tmp_path / "a.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "|u1", "fortran_order": False, "shape": (3_000_000, 3_000_000)}
        )
    with pytest.raises(ImageError, match="declares 3000000 x 3000000 pixels"):
        read_image(tmp_path / "a.npy")
