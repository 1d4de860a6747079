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

from cpunet.errors import DataError
from cpunet.files.images import LARGEST_UINT16, TIFF_SUFFIXES, gray_of_equal_colors, read_image


@dataclass(frozen=True)
class SourceImage:
    """An image to be imported.

    Attributes
    ----------
    path : Path
    pixels : ndarray of shape (Y, X) or (Y, X, C)
        At the file's bit depth, without an opaque alpha channel; one channel if all colors are equal.
    as_stored : bool
        Whether the file holds exactly these pixels.
    """

    path: Path
    pixels: NDArray[np.generic]
    as_stored: bool


def read_source_image(path: Path) -> SourceImage:
    """Read a PNG or TIFF image that becomes part of a data set; up to four planes of a stack are channels.

    Raises
    ------
    DataError
        If it is not a plane of one to four channels, or reading it would lose bits.
    ImageError
        If the file is missing or not an image.
    """
    if path.suffix.lower() == ".png" and _png_loses_bits(path):
        raise DataError(f"{path}: this is a color PNG of 16 bits, which would be read as 8; save it as TIFF.")
    stored = image = read_image(path)
    if path.suffix.lower() in TIFF_SUFFIXES and stored.dtype.itemsize < _bytes_of_tiff(path):
        raise DataError(
            f"{path}: this is compressed so that only {8 * stored.dtype.itemsize} of its bits can be read; save it as "
            "TIFF without compression."
        )
    if image.dtype == bool:
        image = image.astype(np.uint8)
    if np.issubdtype(image.dtype, np.complexfloating):
        raise DataError(f"{path}: an image of real numbers is needed; this holds {image.dtype}.")
    if image.ndim == 3 and image.shape[0] in (2, 3, 4) and image.shape[2] > 4:
        image = np.moveaxis(image, 0, 2)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] > 4) or 0 in image.shape:
        raise DataError(f"{path}: a plane of one to four channels is needed; this has the shape {image.shape}.")
    if image.ndim == 3 and image.shape[2] == 4 and (image[..., 3] == image[..., 3].max()).all():
        image = image[..., :3]
    image = gray_of_equal_colors(image)
    return SourceImage(path, image, as_stored=image.dtype == stored.dtype and image.shape == stored.shape)


def _png_loses_bits(path: Path) -> bool:
    """Return whether a PNG has 16 bits and more than one channel, which Pillow reduces to 8."""
    with path.open("rb") as stream:
        header = stream.read(26)
    gray = 0
    return len(header) == 26 and header[24] == 16 and header[25] != gray


def _bytes_of_tiff(path: Path) -> int:
    """Return the bytes of a TIFF file's values, which Pillow reduces if tifffile lacks the compression."""
    try:
        with tifffile.TiffFile(path) as file:
            dtype = file.pages.first.dtype
    except tifffile.TiffFileError:
        return 0
    return 0 if dtype is None else dtype.itemsize


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
        photometric="rgb" if image.ndim == 3 and image.shape[2] in (3, 4) else "minisblack",
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
