"""Read image files, and write results so that a file is complete or does not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.PngImagePlugin
import tifffile

from cpunet.errors import ImageError
from cpunet.files.formats.content import NPY, TIFF, content_of
from cpunet.files.formats.npy import read_npy
from cpunet.files.formats.pictures import read_picture
from cpunet.files.formats.stored_image import StoredImage, as_shown, clear_numbers, stored_numbers
from cpunet.files.formats.tiff import read_tiff
from cpunet.files.mark import PNG_KEY, Source, mark_text, marked_text
from cpunet.files.written_beside import written_beside
from cpunet.steps.pixels.channels import is_gray

TIFF_SUFFIXES = (".tif", ".tiff")
LARGEST_UINT16 = np.iinfo(np.uint16).max
Read = TypeVar("Read")


def read_image(path: Path, series: Optional[int] = None) -> npt.NDArray[Any]:
    """Read an image file as it says that it is to be seen.

    Parameters
    ----------
    path : Path
        TIFF, NPY, PNG, JPEG or another format that Pillow reads, recognized by its content.
    series : int, optional
        Which image to take, from 1 on, of a file with several of similar size.

    Returns
    -------
    ndarray of shape (Y, X) or (Y, X, C)
        In the file's own type. Numbers that stand for the colors of a palette become these colors; where 0 is white,
        white becomes the largest number; transparency is left out.

    Raises
    ------
    ImageError
        If the file is missing, empty or no image; if it is larger than the memory; or if it holds something that is
        not understood, such as a compression, or planes that are no channels.
    """
    return _read(path, lambda found: as_shown(read_stored(found, series=series)))


def read_label_numbers(path: Path, series: Optional[int] = None) -> npt.NDArray[Any]:
    """Read the numbers of a label image as they are stored, not the colors that they are shown in.

    Returns
    -------
    ndarray of shape (Y, X) or (Y, X, C)
        One channel if all colors are equal.

    Raises
    ------
    ImageError
        As `read_image`; if lossy compression has changed the numbers; or if a palette shows another number than 0 in
        black, so that the file may be a picture in colors.
    """
    return _read(path, lambda found: gray_of_equal_colors(clear_numbers(read_stored(found, series=series))))


def read_numbers_as_said(path: Path, series: Optional[int] = None) -> npt.NDArray[Any]:
    """Read the numbers of a label image, as `read_label_numbers`, where the user said that they are the labels."""
    return _read(path, lambda found: gray_of_equal_colors(stored_numbers(read_stored(found, series=series))))


def read_stored(
    path: Path,
    take_planes_as_channels: bool = False,
    series: Optional[int] = None,
    depths_as_channels: bool = False,
) -> StoredImage:
    """Read an image file as it is stored, and what it says on how to show it.

    Parameters
    ----------
    path : Path
    take_planes_as_channels : bool
        Whether two to four planes of a TIFF file that does not say what they are become channels, with a note.
    series : int, optional
        As in `read_image`.
    depths_as_channels : bool
        Whether the depths (Z) of a TIFF file, and any number of planes of which it does not say what they are, become
        channels.

    Raises
    ------
    ImageError
        As `read_image`.
    """

    def read(found: Path) -> StoredImage:
        content = content_of(found)
        if content == TIFF:
            return read_tiff(found, take_planes_as_channels, series, depths_as_channels)
        return read_npy(found) if content == NPY else read_picture(found)

    return _read(path, read)


def _read(path: Path, read: Callable[[Path], Read]) -> Read:
    """Call a reader, and name the file in whatever goes wrong."""
    path = Path(path)
    try:
        return read(path)
    except ImageError as error:
        raise error if str(path) in str(error) else ImageError(f"{path}: {error}") from error
    except MemoryError as error:
        raise ImageError(
            f"{path}: the memory is too small for this image. Close other programs, or crop the image."
        ) from error
    except Exception as error:  # each image format brings exceptions of its own
        what = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{path}: this cannot be read as an image: {what}. Copy or save it again.") from error


def gray_of_equal_colors(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return one channel of a gray image that was saved as RGB; any other image unchanged."""
    return image[..., 0] if is_gray(image) else image


def write_labels(path: Path, labels: npt.NDArray[np.int32], source: Optional[Source] = None) -> None:
    """Write labels (Y, X) as a compressed TIFF, uint16 or, with more than 65535 objects, uint32.

    The file says that this program wrote it, and from which image.
    """
    dtype = np.uint16 if labels.max(initial=0) <= LARGEST_UINT16 else np.uint32
    stored = labels.astype(dtype)
    with written_beside(path) as beside:
        tifffile.imwrite(str(beside), stored, compression="zlib", software=mark_text(stored, source))


def write_picture(path: Path, picture: npt.NDArray[np.uint8], source: Optional[Source] = None) -> None:
    """Write a color picture (Y, X, 3), uint8, as PNG, with a mark as in `write_labels`."""
    text = PIL.PngImagePlugin.PngInfo()
    text.add_text(PNG_KEY, mark_text(picture, source))
    with written_beside(path) as beside:
        PIL.Image.fromarray(picture).save(beside, pnginfo=text)


def write_text(path: Path, text: str) -> None:
    """Write a report (HTML, Markdown, YAML, JSON) in UTF-8, with a mark at its end."""
    with written_beside(path) as beside:
        beside.write_text(marked_text(text, path.suffix), encoding="utf-8")
