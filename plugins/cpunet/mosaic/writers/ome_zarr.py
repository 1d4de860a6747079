"""Write labels on the disk as OME-Zarr 0.4, with smaller copies for viewers, and know them again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List, Optional

import numpy as np
import numpy.typing as npt

from cpunet.files.mark import Mark, PixelHash, Source, mark_of_text, mark_text_of_hash
from cpunet.mosaic.disk_array import DiskArray, bands_of, parts_of
from cpunet.mosaic.readers.ome_zarr import import_zarr
from cpunet.mosaic.writers.tiled_tiff import LARGEST_UINT16, hash_of_labels

CHUNK_PX = 1024
VERSION = "0.4"
ATTRIBUTES, MARK_KEY = ".zattrs", "written_by"


def write_ome_zarr(path: Path, labels: DiskArray, count: int, source: Optional[Source]) -> None:
    """Write labels (Y, X), uint16 or, with more than 65535 objects, uint32, with a mark.

    Each copy has every second row and column of the one before, until it fits into one chunk.
    """
    dtype = np.dtype(np.uint16 if count <= LARGEST_UINT16 else np.uint32)
    zarr = import_zarr()
    group = _group(zarr, path)
    height, width = labels.shape
    levels: List[Any] = []
    array = _array(zarr, path / "0", (height, width), dtype)
    for rows, columns in parts_of((height, width), CHUNK_PX):
        array[rows, columns] = labels.read(rows, columns).astype(dtype)
    levels.append(array)
    while max(levels[-1].shape) > CHUNK_PX:
        above = levels[-1]
        array = _array(zarr, path / str(len(levels)), tuple(-(-size // 2) for size in above.shape), dtype)
        for rows, columns in parts_of(array.shape, CHUNK_PX):
            finer = (slice(2 * axis.start, 2 * axis.stop) for axis in (rows, columns))
            array[rows, columns] = np.asarray(above[tuple(finer)])[::2, ::2]
        levels.append(array)
    axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    datasets = [
        {"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": [2.0**number] * 2}]}
        for number in range(len(levels))
    ]
    group.attrs.update(
        {
            "multiscales": [{"version": VERSION, "name": "labels", "axes": axes, "datasets": datasets}],
            "image-label": {"version": VERSION},
            MARK_KEY: mark_text_of_hash(hash_of_labels(labels, dtype), source),
        }
    )


def mark_of_zarr(path: Path) -> Optional[Mark]:
    """Return the mark of labels in OME-Zarr; None where there is none."""
    try:
        return mark_of_text(json.loads((path / ATTRIBUTES).read_text(encoding="utf-8"))[MARK_KEY])
    except Exception:  # whatever else the folder is, it carries no mark
        return None


def zarr_is_as_written(path: Path, mark: Mark) -> bool:
    """Return True if the labels are those that the mark was made for."""
    try:
        array = import_zarr().open_group(str(path), mode="r")["0"]
        found = PixelHash(array.shape, np.dtype(array.dtype))
        for rows in bands_of(array.shape):
            found.add(np.asarray(array[rows]))
        return found.text() == mark.pixels
    except Exception:
        return False


def _group(zarr: Any, path: Path) -> Any:
    if _has_formats(zarr):
        return zarr.open_group(str(path), mode="w", zarr_format=2)
    return zarr.open_group(str(path), mode="w")


def _array(zarr: Any, path: Path, shape: Any, dtype: npt.DTypeLike) -> Any:
    chunks = tuple(min(CHUNK_PX, size) for size in shape)
    which = {"zarr_format": 2} if _has_formats(zarr) else {}
    return zarr.open_array(
        str(path), mode="w", shape=shape, chunks=chunks, dtype=dtype, dimension_separator="/", fill_value=0, **which
    )


def _has_formats(zarr: Any) -> bool:
    """Return True for zarr 3, which writes another format than OME-Zarr 0.4 has unless it is told."""
    return int(zarr.__version__.split(".")[0]) >= 3
