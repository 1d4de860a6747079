"""Arrays that lie on the disk, of which only the part at hand is in the memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import numpy as np
import numpy.typing as npt

# A band of rows holds about so many pixels, whatever the width of the mosaic.
BAND_PX, LEAST_BAND_ROWS = 2**22, 16
Window = Tuple[slice, slice]


@dataclass(frozen=True)
class DiskArray:
    """A file of plain numbers, (..., Y, X).

    Attributes
    ----------
    path : Path
    shape : tuple of int
    dtype : dtype
    """

    path: Path
    shape: Tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def create(cls, path: Path, shape: Tuple[int, ...], dtype: npt.DTypeLike) -> DiskArray:
        """Make a file of zeros, which takes no space until it is written to; one of this size stays as it is."""
        made = cls(path, shape, np.dtype(dtype))
        size = int(np.prod(shape, dtype=object)) * made.dtype.itemsize
        if not path.exists() or path.stat().st_size != size:
            with path.open("wb") as stream:
                stream.truncate(size)
        return made

    def read(self, *window: Any) -> npt.NDArray[Any]:
        """Return a copy of a part, indexed as an array of numpy."""
        mapped = np.memmap(self.path, self.dtype, "r", shape=self.shape)
        return np.array(mapped[window])  # what stays mapped counts as memory

    def write(self, values: npt.NDArray[Any], *window: Any) -> None:
        """Replace a part, and wait until it is on the disk."""
        mapped = np.memmap(self.path, self.dtype, "r+", shape=self.shape)
        mapped[window] = values
        mapped.flush()


def bands_of(shape: Tuple[int, ...]) -> List[slice]:
    """Cut the rows of a mosaic (Y, X) into bands, from top to bottom."""
    height = max(LEAST_BAND_ROWS, BAND_PX // max(1, shape[1]))
    return [slice(first, min(first + height, shape[0])) for first in range(0, shape[0], height)]


def with_margin(rows: slice, margin: int, height: int) -> Tuple[slice, slice]:
    """Return rows with so many more on both sides, as far as there are, and where the rows lie among them."""
    around = slice(max(0, rows.start - margin), min(height, rows.stop + margin))
    return around, slice(rows.start - around.start, rows.stop - around.start)


def parts_of(shape: Tuple[int, ...], side: int) -> Iterator[Window]:
    """Cover a mosaic (Y, X) with squares of this side, row by row."""
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield slice(top, min(top + side, shape[0])), slice(left, min(left + side, shape[1]))
