"""Open a TIFF file whose parts are read one by one."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, TypeVar

import tifffile

from cpunet.errors import ImageError
from cpunet.files.formats.without_log import without_log

Parts = TypeVar("Parts")


@contextmanager
def opened_tiff(path: Path, parts_of: Callable[[Path, tifffile.TiffFile], Parts]) -> Iterator[Parts]:
    """Open a TIFF file, yield what reads its parts, and close it at the end.

    Parameters
    ----------
    path : Path
    parts_of : callable
        Takes the path and the open file.

    Raises
    ------
    ImageError
        If the file cannot be read, or `parts_of` refuses it; the message names the file.
    """
    with without_log("tifffile"):
        try:
            file = tifffile.TiffFile(str(path))
        except tifffile.TiffFileError as error:
            raise ImageError(f"{path}: this cannot be read as an image: {error}. Copy or save it again.") from error
        with file:
            try:
                parts = parts_of(path, file)
            except ImageError as error:
                raise error if str(path) in str(error) else ImageError(f"{path}: {error}") from error
            yield parts
