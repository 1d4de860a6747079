"""Read image files, and write results so that a file is complete or does not exist."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import numpy.typing as npt
import PIL.Image
import tifffile

from cpunet.errors import ImageError

TIFF_SUFFIXES = (".tif", ".tiff")
LARGEST_UINT16 = np.iinfo(np.uint16).max


def read_image(path: Path) -> npt.NDArray[Any]:
    """Read an image file.

    Parameters
    ----------
    path : Path
        TIFF, PNG, JPEG or another format that Pillow reads.

    Returns
    -------
    ndarray of shape (Y, X) or (Y, X, C)
        In the file's own type.

    Raises
    ------
    ImageError
        If the file is missing, empty or no image.
    """
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"{path}: there is no such file.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path}: the file is empty.")
    try:
        return _read_tiff(path) if path.suffix.lower() in TIFF_SUFFIXES else _read_with_pillow(path)
    except Exception as error:  # each image format brings exceptions of its own
        raise ImageError(f"{path}: this cannot be read as an image: {error}") from error


def _read_tiff(path: Path) -> npt.NDArray[Any]:
    try:
        return np.asarray(tifffile.imread(str(path)))
    except ValueError:
        # tifffile needs a package that CellProfiler lacks for some compressions, such as LZW.
        return _read_with_pillow(path)


def _read_with_pillow(path: Path) -> npt.NDArray[Any]:
    with PIL.Image.open(path) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise ValueError("it holds several pictures; save each as a file of its own")
        if picture.mode == "LA":
            return np.array(picture.getchannel("L"))
        if picture.mode in ("P", "PA", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"):
            return np.array(picture.convert("RGB"))
        return np.array(picture)


def gray_of_equal_colors(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return one channel of a gray image that was saved as RGB; any other image unchanged."""
    if image.ndim == 3 and image.shape[2] in (3, 4) and (image[..., :3] == image[..., :1]).all():
        return image[..., 0]
    return image


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a path in the same folder, and rename it to `path` only if nothing went wrong."""
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        if beside.exists():
            beside.unlink()


def write_labels(path: Path, labels: npt.NDArray[np.int32]) -> None:
    """Write labels (Y, X) as a compressed TIFF, uint16 or, with more than 65535 objects, uint32."""
    dtype = np.uint16 if labels.max(initial=0) <= LARGEST_UINT16 else np.uint32
    with written_beside(path) as beside:
        tifffile.imwrite(str(beside), labels.astype(dtype), compression="zlib")


def write_picture(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write a color picture (Y, X, 3), uint8, in the format of the path's suffix."""
    with written_beside(path) as beside:
        PIL.Image.fromarray(picture).save(beside)
