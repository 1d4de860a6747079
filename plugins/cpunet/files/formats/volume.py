"""Read and write volumes: stacks of planes in TIFF, with the size of their voxels where the file says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import numpy as np
import numpy.typing as npt
import tifffile

from cpunet.errors import ImageError
from cpunet.files.formats.content import TIFF, content_of
from cpunet.files.formats.memory_at_hand import refuse_more_than_memory
from cpunet.files.formats.opened_tiff import opened_tiff
from cpunet.files.formats.stored_image import StoredImage, as_shown, stored_numbers
from cpunet.files.formats.tiff import AXES, MOST_CHANNELS, chosen_image
from cpunet.files.formats.tiff_pixels import (
    JPEGS,
    SAVE_PLAIN,
    WHITE_IS_ZERO,
    bits_of,
    name_of,
    refuse_cut_short,
    refuse_other_numbers,
    without_alpha,
)
from cpunet.files.formats.voxel_size import NOTHING_SAID, VoxelSize, voxel_size_of_tiff
from cpunet.files.written_beside import written_beside

# What can be the axis of the planes: depths, and planes of which a file does not say what they are.
PLANES, UNKNOWN = "ZQI", "QI"
CHANNELS = "CS"
PLANE_AXES = 2
WAY_OUT = (
    "Save it with the axes ZYX, or ZCYX with channels (in Fiji: Image > Properties, and then File > Save As > Tiff)."
)


@dataclass(frozen=True)
class Volume:
    """A stack of planes.

    Attributes
    ----------
    pixels : ndarray of shape (Z, Y, X) or (Z, Y, X, C)
        In the file's own type. Where 0 is white, white is the largest number.
    size : VoxelSize
        As the file says it.
    """

    pixels: npt.NDArray[Any]
    size: VoxelSize = NOTHING_SAID


@dataclass(frozen=True)
class _StoredVolume:
    """A volume as it is stored, its planes one below the other: (Z * Y, X) or (Z * Y, X, C)."""

    stored: StoredImage
    depth: int
    size: VoxelSize


def read_volume(path: Path) -> Volume:
    """Read a volume.

    Parameters
    ----------
    path : Path
        TIFF, OME-TIFF or a stack of ImageJ, of gray values or channels; or a folder of OME-Zarr, for which the
        package zarr is needed.

    Raises
    ------
    ImageError
        If the file is missing or damaged, holds a single plane or several times, or is larger than the memory.

    Notes
    -----
    Planes of which a TIFF file does not say what they are, are depths. A palette is a way to show gray values, and
    is left out.
    """
    found = _read(Path(path))
    try:
        shown = as_shown(found.stored)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    return Volume(_in_planes(shown, found.depth), found.size)


def read_label_volume(path: Path) -> Volume:
    """Read the numbers of a volume of labels as they are stored.

    Raises
    ------
    ImageError
        As `read_volume`; if lossy compression has changed the numbers, or there are several channels.
    """
    found = _read(Path(path))
    try:
        numbers = stored_numbers(found.stored)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    if numbers.ndim > PLANE_AXES:
        raise ImageError(
            f"{path}: this holds {numbers.shape[2]} channels, and labels have one, with one number an object. {WAY_OUT}"
        )
    return Volume(_in_planes(numbers, found.depth), found.size)


def holds_volume(path: Path) -> bool:
    """Return True for a file that `read_volume` takes, by what its header says; False for what cannot be read."""
    try:
        if path.is_dir():
            from cpunet.mosaic.readers.ome_zarr import finest_array

            found = finest_array(path)
            return bool(dict(zip(found.axes, found.array.shape)).get("z", 1) > 1)
        if content_of(path) != TIFF:
            return False

        def is_volume(path: Path, file: tifffile.TiffFile) -> bool:
            chosen = chosen_image(file, path, None)
            _planes_and_channels(chosen.axes, chosen.shape)
            return True

        with opened_tiff(path, is_volume) as answer:
            return answer
    except Exception:  # the reader of volumes says what is wrong with it
        return False


def write_volume(path: Path, pixels: npt.NDArray[Any], size: VoxelSize = NOTHING_SAID, software: str = "") -> None:
    """Write a volume as OME-TIFF with ZIP compression, whole or not at all.

    Parameters
    ----------
    path : Path
        Named .tif.
    pixels : ndarray of shape (Z, Y, X) or (Z, Y, X, C)
    size : VoxelSize
    software : str
        Which program wrote it.
    """
    data = pixels if pixels.ndim == 3 else np.moveaxis(pixels, 3, 0)
    metadata: Dict[str, Any] = {"axes": "ZYX" if pixels.ndim == 3 else "CZYX"}
    if size.pixel_size_um is not None:
        metadata.update({f"PhysicalSize{axis}": size.pixel_size_um for axis in "XY"})
    if size.z_step_um is not None:
        metadata["PhysicalSizeZ"] = size.z_step_um
    metadata.update({f"{name}Unit": "\N{MICRO SIGN}m" for name in list(metadata) if name.startswith("Physical")})
    with written_beside(path) as beside:
        tifffile.imwrite(
            str(beside),
            np.ascontiguousarray(data),
            ome=True,
            metadata=metadata,
            compression="zlib",
            photometric="minisblack",
            **({"software": software} if software else {}),
        )


def _read(path: Path) -> _StoredVolume:
    """Read a file by its content, and name it in whatever goes wrong."""
    try:
        if path.is_dir():
            return _read_zarr(path)
        if content_of(path) == TIFF:
            with opened_tiff(path, _read_tiff) as found:
                return found
    except ImageError as error:
        raise error if str(path) in str(error) else ImageError(f"{path}: {error}") from error
    except MemoryError as error:
        raise ImageError(
            f"{path}: the memory is too small for this volume. Close other programs, or crop the volume."
        ) from error
    except Exception as error:  # each format brings exceptions of its own
        what = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path}: this cannot be read as a volume: {what}. Copy or save it again.") from error
    raise ImageError(f"{path}: a volume is read from TIFF or OME-Zarr, and this is neither. {WAY_OUT}")


def _read_tiff(path: Path, file: tifffile.TiffFile) -> _StoredVolume:
    shapes = {each.shape for each in file.series}
    if len(file.series) > 1 and len(shapes) == 1 and len(min(shapes)) == PLANE_AXES:
        raise ImageError(
            f"this holds {len(file.series)} separate images of one plane, and not one stack. {WAY_OUT} In Python, "
            "tifffile.imwrite writes a whole stack (Z, Y, X)."
        )
    chosen = chosen_image(file, path, None)
    page = chosen.pages[0].keyframe
    refuse_other_numbers(page)
    order = _planes_and_channels(chosen.axes, chosen.shape)
    lengths = [chosen.shape[axis] for axis in order]
    per_pixel = page.dtype.itemsize * int(np.prod(lengths[3:], dtype=object))
    refuse_more_than_memory(lengths[1], lengths[2], per_pixel, lengths[0])
    refuse_cut_short(chosen.pages, path.stat().st_size)
    try:
        pixels = np.asarray(chosen.read()).reshape(chosen.shape)
    except MemoryError:
        raise
    except Exception as error:  # each codec brings exceptions of its own
        what = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(
            f"its pixels are compressed with {name_of(page.compression)} and cannot be decoded here ({what}). "
            f"{SAVE_PLAIN}"
        ) from error
    left = [axis for axis in range(pixels.ndim) if axis not in order]
    pixels = np.transpose(pixels, [*order, *left]).reshape(lengths)
    below = pixels.reshape(-1, *lengths[2:])
    if "S" in chosen.axes and chosen.axes[order[-1]] == "S":
        below = without_alpha(below, page)
    stored = StoredImage(
        np.ascontiguousarray(below).astype(below.dtype.newbyteorder("="), copy=False),
        min_is_white=int(page.photometric) == WHITE_IS_ZERO,
        bits=bits_of(page),
        lossy=JPEGS.get(int(page.compression), ""),
    )
    return _StoredVolume(stored, lengths[0], voxel_size_of_tiff(file))


def _planes_and_channels(axes: str, shape: Sequence[int]) -> Tuple[int, ...]:
    """Return the numbers of the axes of planes, rows, columns and, if there are several, channels; refuse all else."""
    longer = [number for number, axis in enumerate(axes) if shape[number] != 1 or axis in "YX"]
    planes = [number for number in longer if axes[number] in PLANES]
    channels = [number for number in longer if axes[number] in CHANNELS]
    lengths = {axis: shape[number] for number, axis in enumerate(axes)}
    if planes and axes[planes[0]] in UNKNOWN and lengths["X"] <= MOST_CHANNELS < min(lengths["Y"], shape[planes[0]]):
        # tifffile writes an array (Y, X, C) as so many planes of a few columns, unless it is told otherwise.
        planes = []
    if 0 in shape:
        raise ImageError(f"this has no pixels: its shape is {tuple(shape)}.")
    more = [f"{shape[number]} {AXES.get(axes[number], f'planes along {axes[number]}')}" for number in longer]
    more = [text for text, number in zip(more, longer) if axes[number] not in "YX"]
    held = f"this holds {' and '.join(more) or 'a single plane'} (axes {axes}, shape {tuple(shape)})"
    if len(planes) != 1 or len(channels) > 1 or len(planes) + len(channels) + PLANE_AXES != len(longer):
        raise ImageError(f"{held}, and a volume of depths (Z) is needed. {WAY_OUT}")
    return (planes[0], axes.index("Y"), axes.index("X"), *channels)


def _read_zarr(path: Path) -> _StoredVolume:
    from cpunet.mosaic.readers.ome_zarr import finest_array

    found = finest_array(path)
    axes, shape = found.axes, found.array.shape
    lengths = dict(zip(axes, shape))
    if lengths.get("z", 1) < 2 or any(length > 1 for axis, length in lengths.items() if axis not in "czyx"):
        raise ImageError(f"this has the axes {axes} and the shape {shape}; a volume of one time is needed.")
    wanted = [axis for axis in "zyxc" if axis in axes]
    refuse_more_than_memory(lengths["y"], lengths["x"], lengths.get("c", 1) * found.array.dtype.itemsize, lengths["z"])
    pixels = np.asarray(found.array[tuple(slice(None) if axis in wanted else 0 for axis in axes)])
    pixels = np.transpose(pixels, [[axis for axis in axes if axis in wanted].index(axis) for axis in wanted])
    pixels = pixels[..., 0] if pixels.ndim == 4 and pixels.shape[3] == 1 else pixels
    return _below_each_other(pixels, VoxelSize(found.sizes_um.get("x"), found.sizes_um.get("z")))


def _below_each_other(pixels: npt.NDArray[Any], size: VoxelSize = NOTHING_SAID) -> _StoredVolume:
    if pixels.ndim not in (3, 4) or pixels.size == 0:
        raise ImageError(f"this has the shape {pixels.shape}; planes, rows and columns are needed, (Z, Y, X).")
    native = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=False)
    return _StoredVolume(StoredImage(native.reshape(-1, *pixels.shape[2:])), len(pixels), size)


def _in_planes(below: npt.NDArray[Any], depth: int) -> npt.NDArray[Any]:
    planes: npt.NDArray[Any] = below.reshape(depth, -1, *below.shape[1:])
    return planes
