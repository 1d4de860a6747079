"""Read parts of a TIFF or OME-TIFF file: only the tiles or strips that a part touches are decoded."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.files.formats.stored_image import StoredImage, as_shown
from cpunet.files.formats.tiff import chosen_image, plane_axes
from cpunet.files.formats.tiff_pixels import (
    CONVERTED,
    JPEGS,
    SAVE_PLAIN,
    WHITE_IS_ZERO,
    YCBCR,
    bits_of,
    name_of,
    palette_of_page,
    refuse_cut_short,
    refuse_other_numbers,
    without_alpha,
)
from cpunet.mosaic.readers.open_mosaic import EXTRA

SEPARATE = 2  # of the tag PlanarConfiguration: samples lie plane by plane
# Decoded tiles and strips that are kept for the next part.
CACHE_BYTES = 2**28
# A file that is one compressed strip cannot be read in parts.
LARGEST_SEGMENT_BYTES = 2**29


class TiffParts:
    """The image of an open TIFF file, as it is to be seen; see `cpunet.files.formats.tiff.read_tiff`."""

    def __init__(self, path: Path, file: Any) -> None:
        chosen = chosen_image(file, path, None)
        page = chosen.pages[0].keyframe
        refuse_other_numbers(page)
        axes, shape, _ = plane_axes(chosen, take_planes_as_channels=False)
        refuse_cut_short(chosen.pages, path.stat().st_size)
        if int(page.photometric) in CONVERTED and not (
            int(page.photometric) == YCBCR and int(page.compression) in JPEGS
        ):
            raise ImageError(
                f"{path}: colors stored as {name_of(page.photometric)} cannot be read in parts. Save it as RGB."
            )
        lengths = dict(zip(axes, shape))
        if len(chosen.pages) > 1 and (len(axes) != 3 or axes[0] in "YX" or len(chosen.pages) != shape[0]):
            raise ImageError(
                f"{path}: its planes are stored so that they cannot be read in parts. Save it as OME-TIFF."
            )
        if chosen.pages[0].shape[:1] == (0,) or (lengths["Y"], lengths["X"]) != (page.imagelength, page.imagewidth):
            raise ImageError(f"{path}: its axes {chosen.axes} cannot be read in parts. Save it as OME-TIFF.")
        self._path, self._pages, self._page, self._handle = path, list(chosen.pages), page, file.filehandle
        self._palette = palette_of_page(page)
        self._cache: OrderedDict[Tuple[int, int], npt.NDArray[Any]] = OrderedDict()
        self._cached_bytes = 0
        self._contiguous = _contiguous_planes(self._pages, page)
        if self._contiguous is None:
            self._refuse_large_segments()
        sample = self.read(slice(0, 1), slice(0, 1))
        self.dtype: np.dtype[Any] = sample.dtype
        self.shape: Tuple[int, ...] = (lengths["Y"], lengths["X"], *sample.shape[2:])

    def read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Return a part of the image."""
        planes = [self._part_of_page(number, rows, columns) for number in range(len(self._pages))]
        pixels = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
        page = self._page
        if len(planes) == 1 and int(page.samplesperpixel) > 1:
            pixels = without_alpha(pixels, page)
        pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
        stored = StoredImage(
            np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=False),
            self._palette,
            min_is_white=int(page.photometric) == WHITE_IS_ZERO,
            bits=bits_of(page),
        )
        return as_shown(stored)

    def _part_of_page(self, number: int, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Return a part (y, x, samples) of a page."""
        if self._contiguous is not None:
            mapped = np.memmap(self._path, mode="r", **self._contiguous[number])
            return np.concatenate(list(mapped[:, rows, columns]), axis=-1)  # a copy: what stays mapped counts as memory
        page = self._page
        samples = int(page.samplesperpixel)
        separate = samples if int(page.planarconfig) == SEPARATE else 1
        part = np.zeros(
            (separate, rows.stop - rows.start, columns.stop - columns.start, samples // separate), page.dtype
        )
        height, width, across = _grid(page)
        down = -(-int(page.imagelength) // height)
        for plane in range(separate):
            for row in range(rows.start // height, -(-rows.stop // height)):
                for column in range(columns.start // width, -(-columns.stop // width)):
                    segment = self._segment(number, (plane * down + row) * across + column)
                    _paste(segment, part[plane], row * height - rows.start, column * width - columns.start)
        return np.concatenate(list(part), axis=-1)

    def _segment(self, number: int, index: int) -> npt.NDArray[Any]:
        """Return a decoded tile or strip (y, x, samples), from the cache if it is there."""
        if (number, index) in self._cache:
            self._cache.move_to_end((number, index))
            return self._cache[number, index]
        page, keyframe = self._pages[number], self._page
        self._handle.seek(page.dataoffsets[index])
        data = self._handle.read(page.databytecounts[index])
        more = {}
        if int(keyframe.compression) in JPEGS:
            more = {"jpegtables": keyframe.jpegtables, "jpegheader": keyframe.jpegheader}
        try:
            segment = keyframe.decode(data, index, **more)[0]
        except Exception as error:  # each codec brings exceptions of its own
            raise ImageError(
                f"{self._path}: this is compressed with {name_of(keyframe.compression)} and cannot be decoded here "
                f"({error}). {SAVE_PLAIN} ({EXTRA})"
            ) from error
        decoded: npt.NDArray[Any] = np.asarray(segment)[0]
        self._cache[number, index] = decoded
        self._cached_bytes += decoded.nbytes
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return decoded

    def _refuse_large_segments(self) -> None:
        height, width, _ = _grid(self._page)
        samples = 1 if int(self._page.planarconfig) == SEPARATE else int(self._page.samplesperpixel)
        size = height * width * samples * self._page.dtype.itemsize
        if size > LARGEST_SEGMENT_BYTES:
            raise ImageError(
                f"{self._path}: this is compressed in pieces of {size / 2**20:.0f} MiB, so that it cannot be read in "
                "parts. Save it in tiles (a pyramidal OME-TIFF), or without compression."
            )


def _grid(page: Any) -> Tuple[int, int, int]:
    """Return the height and width of a page's tiles or strips, and how many lie side by side."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth), -(-int(page.imagewidth) // int(page.tilewidth))
    return min(int(page.rowsperstrip), int(page.imagelength)), int(page.imagewidth), 1


def _paste(segment: npt.NDArray[Any], part: npt.NDArray[Any], top: int, left: int) -> None:
    """Copy what a tile and a part (both y, x, samples) share; the tile begins at (top, left) of the part."""
    bottom, right = min(top + segment.shape[0], part.shape[0]), min(left + segment.shape[1], part.shape[1])
    first_row, first_column = max(top, 0), max(left, 0)
    part[first_row:bottom, first_column:right] = segment[
        first_row - top : bottom - top, first_column - left : right - left
    ]


def _contiguous_planes(pages: List[Any], page: Any) -> Optional[List[Dict[str, Any]]]:
    """Return for each page how numpy maps it as (planes, y, x, samples); None if its pixels must be decoded."""
    if page.is_tiled or not page.is_memmappable:
        return None
    for each in pages:
        ends = np.add(each.dataoffsets, each.databytecounts)
        if not np.array_equal(ends[:-1], each.dataoffsets[1:]):
            return None
    samples = int(page.samplesperpixel)
    separate = samples if int(page.planarconfig) == SEPARATE else 1
    shape = separate, int(page.imagelength), int(page.imagewidth), samples // separate
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    return [{"offset": int(each.dataoffsets[0]), "shape": shape, "dtype": dtype} for each in pages]
