"""Arrays that lie on the disk, of which only the part at hand is in the memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Tuple, Union

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
        """Make a file of zeros, which takes no space until it is written to."""
        made = cls(path, shape, np.dtype(dtype))
        with path.open("wb") as stream:
            stream.truncate(made.nbytes)
        return made

    @classmethod
    def open_or_create(cls, path: Path, shape: Tuple[int, ...], dtype: npt.DTypeLike) -> DiskArray:
        """Take the file that an earlier run has left, or make one of zeros."""
        found = cls(path, shape, np.dtype(dtype))
        is_there = path.exists() and path.stat().st_size == found.nbytes
        return found if is_there else cls.create(path, shape, dtype)

    @property
    def nbytes(self) -> int:
        """The size of the file."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize

    def read(self, *window: Any) -> npt.NDArray[Any]:
        """Return a copy of a part, indexed as an array of numpy."""
        mapped = np.memmap(self.path, self.dtype, "r", shape=self.shape)
        return np.array(mapped[window])  # what stays mapped counts as memory

    def write(self, values: npt.NDArray[Any], *window: Union[int, slice]) -> None:
        """Replace a part.

        Pixels are written and not mapped, because a full disk ends a program that writes to what is mapped.
        """
        starts, lengths = [], []
        for axis, size in zip((*window, *[slice(None)] * (len(self.shape) - len(window))), self.shape):
            first, last, _ = (slice(axis, axis + 1) if isinstance(axis, int) else axis).indices(size)
            starts.append(first)
            lengths.append(last - first)
        stored = np.empty(lengths, self.dtype)
        stored[...] = np.reshape(values, lengths) if np.ndim(values) else values
        whole_rows = lengths[-1] == self.shape[-1]
        with self.path.open("r+b") as stream:
            for place in np.ndindex(*lengths[: -2 if whole_rows else -1]):
                index = [start + number for start, number in zip(starts, place)] + starts[len(place) :]
                stream.seek(int(np.ravel_multi_index(index, self.shape)) * self.dtype.itemsize)
                stream.write(stored[place].tobytes())

    def sync(self) -> None:
        """Wait until all is on the disk, for the case that the computer stops."""
        with self.path.open("r+b") as stream:
            os.fsync(stream.fileno())


def rows_of_band(width: int) -> int:
    """Return how many rows of a mosaic of this width are in the memory at once."""
    return max(LEAST_BAND_ROWS, BAND_PX // max(1, width))


def bands_of(shape: Tuple[int, ...]) -> List[slice]:
    """Cut the rows of a mosaic (Y, X) into bands, from top to bottom."""
    height = rows_of_band(shape[1])
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
