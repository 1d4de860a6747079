import numpy as np
import pytest
import tifffile

from cpunet.errors import ImageError
from cpunet.files.formats.volume import holds_volume, read_label_volume, read_volume, write_volume
from cpunet.files.formats.voxel_size import VoxelSize


def ramp(shape=(5, 12, 14), dtype=np.uint16):
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 251).astype(dtype)


def same(path, expected):
    found = read_volume(path)
    np.testing.assert_array_equal(found.pixels, expected)
    assert found.pixels.dtype == expected.dtype
    assert holds_volume(path)
    return found.size


def test_a_stack_without_metadata_is_a_volume_of_unknown_voxels(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ramp(), photometric="minisblack")
    assert same(tmp_path / "a.tif", ramp()) == VoxelSize(None, None)


@pytest.mark.parametrize(("unit", "spacing"), [("micron", 1.5), ("um", 1.5), ("\\u00B5m", 1.5), ("um", -1.5)])
def test_imagej_says_the_spacing(tmp_path, unit, spacing):
    tifffile.imwrite(
        tmp_path / "a.tif",
        ramp(),
        imagej=True,
        resolution=(4.0, 4.0),
        metadata={"axes": "ZYX", "spacing": spacing, "unit": unit},
    )
    size = same(tmp_path / "a.tif", ramp())
    assert (size.pixel_size_um, size.z_step_um) == pytest.approx((0.25, 1.5))


def test_planes_that_were_written_one_by_one_are_no_stack(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for plane in ramp():
            file.write(plane, contiguous=False, photometric="minisblack")
    with pytest.raises(ImageError, match=f"holds {len(ramp())} separate images of one plane, and not one stack. Save"):
        read_volume(tmp_path / "a.tif")
    assert not holds_volume(tmp_path / "a.tif")


def test_imagej_says_no_size_in_pixels(tmp_path):
    metadata = {"axes": "ZYX", "spacing": 1.5, "unit": "pixel"}
    tifffile.imwrite(tmp_path / "a.tif", ramp(), imagej=True, resolution=(4.0, 4.0), metadata=metadata)
    assert same(tmp_path / "a.tif", ramp()) == VoxelSize(None, None)


def test_channels_of_a_hyperstack_come_last(tmp_path):
    stack = ramp((5, 2, 12, 14))
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    same(tmp_path / "a.tif", np.moveaxis(stack, 1, 3))


@pytest.mark.parametrize("axes", ["CZYX", "ZCYX"])
def test_ome_says_axes_and_sizes_in_its_units(tmp_path, axes):
    shape = {"CZYX": (2, 5, 12, 14), "ZCYX": (5, 2, 12, 14)}[axes]
    sizes = {"PhysicalSizeX": 400.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeZ": 2.0}
    tifffile.imwrite(tmp_path / "a.ome.tif", ramp(shape), metadata={"axes": axes, **sizes}, photometric="minisblack")
    size = same(tmp_path / "a.ome.tif", np.moveaxis(ramp(shape), axes.index("C"), -1))
    assert (size.pixel_size_um, size.z_step_um, size.z_step_px) == pytest.approx((0.4, 2.0, 5.0))


@pytest.mark.parametrize("shape", [(5, 12, 14), (5, 12, 14, 2), (3, 12, 14), (5, 12, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.float32])
def test_what_is_written_is_read_again(tmp_path, shape, dtype):
    write_volume(tmp_path / "a.tif", ramp(shape, dtype), VoxelSize(0.3, 1.2))
    assert same(tmp_path / "a.tif", ramp(shape, dtype)) == VoxelSize(0.3, 1.2)


def test_where_0_is_white_white_is_the_largest_number(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ramp(dtype=np.uint8), photometric="miniswhite")
    same(tmp_path / "a.tif", 255 - ramp(dtype=np.uint8))
    np.testing.assert_array_equal(read_label_volume(tmp_path / "a.tif").pixels, ramp(dtype=np.uint8))


def test_npy_which_does_not_say_its_axes_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", ramp())
    assert not holds_volume(tmp_path / "a.npy")
    with pytest.raises(ImageError, match="TIFF or OME-Zarr, and this is neither"):
        read_volume(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((12, 14), "YX", "a single plane"),
        ((5, 12, 14), "TYX", r"5 times \(T\)"),
        ((2, 5, 12, 14), "TZYX", r"2 times \(T\) and 5 depths \(Z\)"),
    ],
    ids=["a plane", "times", "times of depths"],
)
def test_what_is_no_volume_is_refused_by_name(tmp_path, shape, axes, message):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ramp(shape), metadata={"axes": axes}, photometric="minisblack")
    assert not holds_volume(path)
    with pytest.raises(ImageError, match=rf"a\.tif: .*{message}"):
        read_volume(path)


def test_labels_of_several_channels_are_refused(tmp_path):
    write_volume(tmp_path / "a.tif", ramp((5, 12, 14, 2)))
    with pytest.raises(ImageError, match="2 channels, and labels have one"):
        read_label_volume(tmp_path / "a.tif")


def test_files_that_cannot_be_read_are_named(tmp_path):
    write_volume(tmp_path / "a.tif", ramp((20, 60, 60)))
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "short.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tif").write_text("no image")
    for name in ("short.tif", "text.tif", "none.tif"):
        assert not holds_volume(tmp_path / name)
        with pytest.raises(ImageError, match=name):
            read_volume(tmp_path / name)


def test_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    write_volume(tmp_path / "a.tif", np.zeros((64, 128, 128), np.uint16))
    monkeypatch.setattr("cpunet.files.formats.memory_at_hand.bytes_at_hand", lambda: 1000)
    with pytest.raises(ImageError, match="64 x 128 x 128 pixels"):
        read_volume(tmp_path / "a.tif")


def zarr_image(path, volume, scale, version):
    zarr = pytest.importorskip("zarr", reason="the package zarr is not installed")
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    array = group.create_array("0", shape=volume.shape, chunks=volume.shape, dtype=volume.dtype)
    array[:] = volume
    axes = [
        {"name": "c", "type": "channel"},
        *({"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"),
    ]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, *scale]}]}]
    multiscales = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    group.attrs.update({"multiscales": multiscales} if version == 2 else {"ome": {"multiscales": multiscales}})


@pytest.mark.parametrize("version", [2, 3])
def test_ome_zarr_with_its_sizes(tmp_path, version):
    zarr_image(tmp_path / "a.zarr", ramp((1, 5, 12, 14)), (2.0, 0.5, 0.5), version)
    assert same(tmp_path / "a.zarr", ramp()) == VoxelSize(0.5, 2.0)
    zarr_image(tmp_path / "c.zarr", ramp((2, 5, 12, 14)), (2.0, 0.5, 0.5), version)
    same(tmp_path / "c.zarr", np.moveaxis(ramp((2, 5, 12, 14)), 0, -1))
    zarr_image(tmp_path / "one.zarr", ramp((2, 1, 12, 14)), (2.0, 0.5, 0.5), version)
    assert not holds_volume(tmp_path / "one.zarr")
    with pytest.raises(ImageError, match=r"one\.zarr: .*a volume of one time is needed"):
        read_volume(tmp_path / "one.zarr")
