"""Read parts of an OME-Zarr image with the package zarr."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.files.formats.voxel_size import micrometers
from cpunet.mosaic.readers.open_mosaic import EXTRA

# The axes of the versions before 0.4, which do not name them.
AXES_BEFORE_0_4 = ("t", "c", "z", "y", "x")


def import_zarr() -> Any:
    """Import zarr; ImageError with the command that installs it if it is missing."""
    try:
        import zarr
    except ImportError as error:
        raise ImageError(f"To read or write OME-Zarr, the package zarr is needed: {EXTRA}") from error
    return zarr


@dataclass(frozen=True)
class FinestArray:
    """The array of highest resolution in a store of OME-Zarr.

    Attributes
    ----------
    array : zarr.Array
    axes : list of str
        Such as z, y and x.
    sizes_um : dict of str to float
        The size of a voxel along an axis, in micrometers, where the store says it.
    """

    array: Any
    axes: List[str]
    sizes_um: Dict[str, float]


def finest_array(path: Path) -> FinestArray:
    """Open the array of highest resolution in a store of OME-Zarr, version 0.1 to 0.5; no pixel is read.

    Raises
    ------
    ImageError
        If zarr is missing, or the store holds no such image.
    """
    zarr = import_zarr()
    try:
        group = zarr.open_group(str(path), mode="r")
        if "bioformats2raw.layout" in _ome(group.attrs):
            group = group["0"]
        first = _ome(group.attrs)["multiscales"][0]
        dataset = first["datasets"][0]
        array = group[dataset["path"]]
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise ImageError(
            f"{path}: this holds no image of OME-Zarr ({type(error).__name__}: {error}). Give the folder with the "
            "image's own .zattrs or zarr.json."
        ) from error
    given = first.get("axes", AXES_BEFORE_0_4)
    axes = _names(given)
    if len(axes) != array.ndim or not {"y", "x"} <= set(axes):
        raise ImageError(f"{path}: this has the axes {axes} and the shape {array.shape}. Save it again.")
    return FinestArray(array, axes, _sizes_um(given, axes, [dataset, first]))


def _sizes_um(given: Sequence[Any], axes: Sequence[str], transformed: Sequence[Mapping[str, Any]]) -> Dict[str, float]:
    """Return the sizes of voxels that the scales of an image and of all its resolutions give together."""
    sizes = dict.fromkeys(axes, 1.0)
    said = False
    for each in transformed:
        for step in each.get("coordinateTransformations", ()):
            if step.get("type") == "scale" and len(step.get("scale", ())) == len(axes):
                said = True
                sizes = {axis: sizes[axis] * float(factor) for axis, factor in zip(axes, step["scale"])}
    units = {axis: each.get("unit") for axis, each in zip(axes, given) if isinstance(each, Mapping)}
    lengths = {axis: micrometers(size, units.get(axis)) for axis, size in sizes.items()} if said else {}
    return {axis: length for axis, length in lengths.items() if length is not None}


class OmeZarr:
    """The image of highest resolution in a store of OME-Zarr, version 0.1 to 0.5.

    Raises
    ------
    ImageError
        If zarr is missing, the store holds no such image, or the image is no single plane.
    """

    def __init__(self, path: Path) -> None:
        finest = finest_array(path)
        self._path = path
        self._array = array = finest.array
        self._axes = finest.axes
        lengths = dict(zip(self._axes, array.shape))
        many = {axis: length for axis, length in lengths.items() if axis not in "yxc" and length != 1}
        if many:
            raise ImageError(
                f"{path}: this holds {many} planes along these axes, and one plane is needed. Save a plane by itself."
            )
        self.dtype: np.dtype[Any] = np.dtype(array.dtype).newbyteorder("=")
        plane = lengths["y"], lengths["x"]
        self.shape: Tuple[int, ...] = plane if lengths.get("c", 1) == 1 else (*plane, lengths["c"])

    def read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Return a part of the image."""
        wanted = {"y": rows, "x": columns, "c": slice(None)}
        index = tuple(wanted.get(axis, 0) for axis in self._axes)
        try:
            part = np.asarray(self._array[index]).astype(self.dtype, copy=False)
        except Exception as error:  # each codec brings exceptions of its own
            raise ImageError(f"{self._path}: a part cannot be decoded ({error}). Copy or save it again.") from error
        left = [axis for axis in self._axes if axis in wanted]
        part = np.transpose(part, [left.index(axis) for axis in ("y", "x", "c") if axis in left])
        return part[..., 0] if part.ndim == 3 and len(self.shape) == 2 else part


def _ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of OME, which version 0.5 keeps under a name of its own."""
    found: Mapping[str, Any] = attributes.get("ome", attributes)
    return found


def _names(axes: Sequence[Any]) -> List[str]:
    """Return the names of axes, which version 0.3 gives as texts and later ones with their types."""
    return [str(axis if isinstance(axis, str) else axis["name"]).lower() for axis in axes]
