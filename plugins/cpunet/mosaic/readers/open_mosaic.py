"""Open a large image by what it is: TIFF, OME-Zarr, a slide, or another file, which is read as a whole."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Protocol, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.files.find import is_slide, is_zarr
from cpunet.files.formats.content import TIFF, content_of
from cpunet.files.images import read_image

EXTRA = 'pip install "cpunet[mosaics]"'


class MosaicImage(Protocol):
    """An image of which parts can be read.

    Attributes
    ----------
    shape : tuple of int
        (Y, X) or (Y, X, C).
    dtype : dtype
    """

    shape: Tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Return a part of the image, (y, x) or (y, x, C); the slices have a start and a stop within the image."""


class WholeImage:
    """An image that is in the memory as a whole."""

    def __init__(self, image: npt.NDArray[Any]) -> None:
        self._image = image
        self.shape: Tuple[int, ...] = image.shape
        self.dtype: np.dtype[Any] = image.dtype

    def read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Return a part of the image."""
        return self._image[rows, columns]


@contextmanager
def open_mosaic(path: Path) -> Iterator[MosaicImage]:
    """Open an image whose parts can be read, and close it at the end.

    Raises
    ------
    ImageError
        If the file is missing, empty, no image, or needs a package that is not installed; or if a part of it cannot be
        decoded.

    Notes
    -----
    PNG, JPEG, NPY and other files are read as a whole, in their own type.
    """
    # Each of the readers needs other packages, which are imported only for files of its kind.
    if is_zarr(path):
        from cpunet.mosaic.readers.ome_zarr import OmeZarr

        yield OmeZarr(path)
    elif is_slide(path):
        from cpunet.mosaic.readers.slide import opened_slide

        with opened_slide(path) as slide:
            yield slide
    elif content_of(path) == TIFF:
        from cpunet.files.formats.opened_tiff import opened_tiff
        from cpunet.mosaic.readers.tiff_parts import TiffParts

        with opened_tiff(path, TiffParts) as tiff:
            yield tiff
    else:
        image = read_image(path)
        if image.ndim not in (2, 3):
            raise ImageError(f"{path}: this has {image.ndim} axes; a plane is needed.")
        yield WholeImage(image)
