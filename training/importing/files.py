"""Read images as people have them, and write them and their labels into a data set."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import tifffile
from numpy.typing import NDArray

from cpunet.errors import DataError, ImageError
from cpunet.files.formats.content import TIFF, content_of
from cpunet.files.formats.stored_image import as_shown
from cpunet.files.images import LARGEST_UINT16, TIFF_SUFFIXES, gray_of_equal_colors, read_stored
from cpunet.training.data.labeled_images import MOST_CHANNELS, SUFFIXES, holds_channels


@dataclass(frozen=True)
class SourceImage:
    """An image to be imported.

    Attributes
    ----------
    path : Path
    pixels : ndarray of shape (Y, X) or (Y, X, C)
        At the file's bit depth, without transparency; one channel if all colors are equal.
    as_stored : bool
        Whether the file holds exactly these pixels.
    note : str
        What had to be supposed to read it; empty if nothing.
    """

    path: Path
    pixels: NDArray[np.generic]
    as_stored: bool
    note: str = ""


def read_source_image(path: Path, series: int | None = None, depths_as_channels: bool = False) -> SourceImage:
    """Read an image that becomes part of a data set.

    Two to four planes of which the file does not say what they are become channels, with a note.

    Parameters
    ----------
    path : Path
    series : int, optional
        The number, from 1 on, of the image to take from a file with several.
    depths_as_channels : bool
        Whether depths (Z) and any number of planes of which the file does not say what they are become channels.

    Raises
    ------
    DataError
        If it is not a plane of one to `MOST_CHANNELS` channels.
    ImageError
        If the file is missing or not an image, or reading it would lose bits.
    """
    stored = read_stored(path, take_planes_as_channels=True, series=series, depths_as_channels=depths_as_channels)
    try:
        image = as_shown(stored)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    if image.dtype == bool:
        image = image.astype(np.uint8)
    if np.issubdtype(image.dtype, np.complexfloating):
        raise DataError(f"{path}: an image of real numbers is needed; this holds {image.dtype}.")
    if not holds_channels(image):
        raise DataError(
            f"{path}: a plane of one to {MOST_CHANNELS} channels is needed; this has the shape {image.shape}."
        )
    image = gray_of_equal_colors(image)
    suffix = path.suffix.lower()
    named_by_content = suffix in SUFFIXES and (content_of(path) == TIFF) == (suffix in TIFF_SUFFIXES)
    same = image.shape == stored.pixels.shape and image.dtype == stored.pixels.dtype and not stored.min_is_white
    return SourceImage(path, image, named_by_content and same and not stored.changed, stored.note)


def store_image(source: SourceImage, folder: Path, name: str) -> None:
    """Copy an image file, or write its pixels as `name` if the file does not hold exactly them."""
    image = source.pixels
    if source.as_stored:
        shutil.copyfile(source.path, folder / f"{name}{source.path.suffix.lower()}")
        return
    fits_png = image.dtype == np.uint8 and (image.ndim == 2 or image.shape[2] == 3)
    if fits_png or (image.dtype == np.uint16 and image.ndim == 2):
        PIL.Image.fromarray(image).save(folder / f"{name}.png")
        return
    tifffile.imwrite(
        folder / f"{name}{TIFF_SUFFIXES[0]}",
        np.ascontiguousarray(image),
        compression="zlib",
        photometric="rgb" if image.ndim == 3 and image.shape[2] == 3 else "minisblack",
        **({"planarconfig": "contig"} if image.ndim == 3 else {}),
    )


def store_labels(labels: NDArray[np.int32], folder: Path, name: str) -> None:
    """Write labels (0 background, 1..n) as 16-bit PNG, or with more than 65535 objects as 32-bit TIFF."""
    if labels.max(initial=0) <= LARGEST_UINT16:
        PIL.Image.fromarray(labels.astype(np.uint16)).save(folder / f"{name}.png")
    else:
        tifffile.imwrite(folder / f"{name}{TIFF_SUFFIXES[0]}", labels.astype(np.uint32), compression="zlib")


@contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target`, which must not exist, and rename it to `target` if all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
        # mkdtemp() makes a folder that nobody else may read.
        folder.chmod(0o755)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
