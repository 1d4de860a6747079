import sys

import numpy as np
import pytest

from cpunet.errors import ImageError
from cpunet.mosaic.disk_array import DiskArray
from cpunet.mosaic.readers.open_mosaic import open_mosaic
from cpunet.mosaic.writers.ome_zarr import mark_of_zarr, write_ome_zarr, zarr_is_as_written

IMAGE = np.random.default_rng(0).integers(0, 60000, (2, 150, 170)).astype(np.uint16)


def store(path, array, axes):
    zarr = pytest.importorskip("zarr")
    version = {"zarr_format": 2} if zarr.__version__.startswith("3") else {}
    group = zarr.open_group(str(path), mode="w", **version)
    written = zarr.open_array(
        str(path / "full"),
        mode="w",
        shape=array.shape,
        chunks=(*[1] * (array.ndim - 2), 64, 64),
        dtype=array.dtype,
        **version,
    )
    written[...] = array
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "full"}]}]
    return path


@pytest.mark.parametrize(
    ("array", "axes", "expected"),
    [
        (IMAGE[0], [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}], IMAGE[0]),
        (IMAGE[:1], ["c", "y", "x"], IMAGE[0]),
        (IMAGE, ["c", "y", "x"], np.moveaxis(IMAGE, 0, 2)),
        (IMAGE[np.newaxis, :, np.newaxis], list("tczyx"), np.moveaxis(IMAGE, 0, 2)),
    ],
    ids=["plane", "one channel", "channels", "five axes"],
)
def test_parts_of_ome_zarr(array, axes, expected, tmp_path):
    with open_mosaic(store(tmp_path / "image.zarr", array, axes)) as image:
        assert image.shape == expected.shape
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image.read(slice(20, 140), slice(60, 170)), expected[20:140, 60:170])


def test_a_stack_and_what_is_no_image_are_refused(tmp_path):
    with pytest.raises(ImageError, match="one plane is needed"), open_mosaic(store(tmp_path / "z.zarr", IMAGE, "zyx")):
        pass
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ImageError, match="holds no image of OME-Zarr"), open_mosaic(tmp_path / "empty.zarr"):
        pass


def test_without_zarr_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "image.zarr").mkdir()
    with pytest.raises(ImageError, match=r"pip install \"cpunet\[mosaics\]\""), open_mosaic(tmp_path / "image.zarr"):
        pass


def test_labels_in_ome_zarr_are_read_again_and_known_again(tmp_path):
    zarr = pytest.importorskip("zarr")
    pixels = np.random.default_rng(0).integers(0, 70000, (1100, 1500)).astype(np.int32)
    labels = DiskArray.create(tmp_path / "labels", pixels.shape, np.int32)
    labels.write(pixels)
    path = tmp_path / "labels.ome.zarr"
    write_ome_zarr(path, labels, 70000, None)
    with open_mosaic(path) as image:
        assert image.dtype == np.uint32
        np.testing.assert_array_equal(image.read(slice(0, 1100), slice(0, 1500)), pixels)
    mark = mark_of_zarr(path)
    assert zarr_is_as_written(path, mark)
    group = zarr.open_group(str(path), mode="r+")
    assert [entry["path"] for entry in group.attrs["multiscales"][0]["datasets"]] == ["0", "1"]
    np.testing.assert_array_equal(group["1"][...], pixels[::2, ::2])
    group["0"][3, 4] = 5
    assert not zarr_is_as_written(path, mark)
