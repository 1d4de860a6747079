"""Write labels on the disk as a tiled TIFF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Optional

import numpy as np
import numpy.typing as npt
import tifffile

from cpunet.files.mark import PixelHash, Source, mark_text_of_hash
from cpunet.mosaic.disk_array import DiskArray, bands_of, parts_of

TILE_PX = 512
LARGEST_UINT16 = np.iinfo(np.uint16).max
# Larger files need 8 bytes for each place in them.
LARGEST_CLASSIC_BYTES = 2**31


def write_tiled_tiff(path: Path, labels: DiskArray, count: int, source: Optional[Source]) -> None:
    """Write labels (Y, X), uint16 or, with more than 65535 objects, uint32, in compressed tiles, with a mark."""
    dtype = np.dtype(np.uint16 if count <= LARGEST_UINT16 else np.uint32)
    height, width = labels.shape
    with tifffile.TiffWriter(str(path), bigtiff=height * width * dtype.itemsize > LARGEST_CLASSIC_BYTES) as file:
        file.write(
            _tiles(labels, dtype),
            shape=(height, width),
            dtype=dtype,
            tile=(TILE_PX, TILE_PX),
            photometric="minisblack",
            compression="zlib",
            software=mark_text_of_hash(hash_of_labels(labels, dtype), source),
        )


def hash_of_labels(labels: DiskArray, dtype: np.dtype[Any]) -> str:
    """Return the hash that the mark of labels holds, as `cpunet.files.mark.mark_text` computes it in one piece."""
    found = PixelHash(labels.shape, dtype)
    for rows in bands_of(labels.shape):
        found.add(labels.read(rows).astype(dtype))
    return found.text()


def _tiles(labels: DiskArray, dtype: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield all tiles, row by row; those at the lower and right edge are filled up with background."""
    for rows, columns in parts_of(labels.shape, TILE_PX):
        tile = np.zeros((TILE_PX, TILE_PX), dtype)
        tile[: rows.stop - rows.start, : columns.stop - columns.start] = labels.read(rows, columns)
        yield tile
