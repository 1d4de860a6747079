"""Read PNG, JPEG, BMP and other pictures with Pillow, without losing bits and without changing stored numbers."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import numpy.typing as npt
import PIL.Image

from cpunet.errors import ImageError
from cpunet.files.formats.memory_at_hand import refuse_more_than_memory
from cpunet.files.formats.stored_image import StoredImage

LOSSY_FORMATS = ("JPEG", "MPO")
PNG_START, SHOWN = b"\x89PNG\r\n\x1a\n", 12
# Where the header of a PNG has the bits of a sample and the type of color, and how many there are of each.
PNG_BITS, PNG_COLOR, PNG_GRAY = 24, 25, 0
BYTES_OF_MODE = {"1": 1, "L": 1, "P": 1, "LA": 2, "La": 2, "PA": 2, "I;16": 2, "I;16B": 2, "I;16L": 2, "RGB": 3}
MOST_BYTES_OF_MODE = 4


def read_picture(path: Path) -> StoredImage:
    """Read the one picture of a file.

    Raises
    ------
    ImageError
        If the file holds several pictures, is larger than the memory, or holds more bits than Pillow would keep.
    """
    start = _start(path)
    is_png = start.startswith(PNG_START) and len(start) > PNG_COLOR
    bits, color = (start[PNG_BITS], start[PNG_COLOR]) if is_png else (0, None)
    if bits == 16 and color != PNG_GRAY:
        raise ImageError(
            "this is a color PNG of 16 bits, or a gray one with transparency, of which only 8 bits would be read. Save "
            "it as TIFF, which keeps all bits."
        )
    try:
        with opened(path) as picture:
            _refuse_several(picture)
            kind = str(picture.format)
            mode = picture.mode
            pixels = pixels_of(picture)
            palette = palette_of(picture) if mode in ("P", "PA") else None
    except PIL.UnidentifiedImageError as error:
        what = "it is a damaged PNG" if is_png else f"it begins with {start[:SHOWN]!r}"
        raise ImageError(
            f"this cannot be read as an image: {what}. Save it as TIFF or PNG; if it was copied or downloaded, do that "
            "again."
        ) from error
    if kind == "PNG" and pixels.dtype == np.int32:  # earlier versions of Pillow read 16 bits as 32
        pixels = pixels.astype(np.uint16)
    factor = 255 // (2**bits - 1) if color == PNG_GRAY and 1 < bits < 8 else 1  # by which Pillow stretches few bits
    if factor > 1:
        pixels = pixels // np.uint8(factor)
    return StoredImage(
        pixels,
        palette,
        shown_factor=factor,
        lossy="JPEG" if kind in LOSSY_FORMATS else "",
        changed=kind != "PNG" or mode not in ("1", "L", "I", "I;16", "RGB") or factor > 1,
    )


@contextmanager
def opened(path: Path) -> Iterator[PIL.Image.Image]:
    """Open a picture whose pixels fit into the memory; none is read yet."""
    # Pillow's own limit is a fixed number of pixels, which a mosaic may well have.
    limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
    try:
        with PIL.Image.open(path) as picture:
            width, height = picture.size
            refuse_more_than_memory(height, width, BYTES_OF_MODE.get(picture.mode, MOST_BYTES_OF_MODE))
            yield picture
    finally:
        PIL.Image.MAX_IMAGE_PIXELS = limit


def pixels_of(picture: PIL.Image.Image) -> npt.NDArray[Any]:
    """Return the numbers (Y, X), those of a palette too, or the colors (Y, X, 3), without transparency."""
    if picture.mode in ("LA", "PA"):
        return np.array(picture)[..., 0]
    if picture.mode == "RGBA":
        return np.array(picture)[..., :3].copy()
    if picture.mode in ("La", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"):
        return pixels_of(picture.convert("LA" if picture.mode == "La" else "RGB"))
    return np.array(picture)


def palette_of(picture: PIL.Image.Image) -> npt.NDArray[np.uint8]:
    """Return the palette of a picture, (n, 3)."""
    colors = picture.getpalette() or []
    return np.array(colors, np.uint8).reshape(-1, 3)


def _refuse_several(picture: PIL.Image.Image) -> None:
    count = getattr(picture, "n_frames", 1)
    if count == 1:
        return
    size = picture.size
    if picture.format == "MPO":  # a telephone's JPEG; what follows the picture is a preview or a map of brightness
        picture.seek(1)
        smaller = picture.size[0] * 2 <= size[0] and picture.size[1] * 2 <= size[1]
        picture.seek(0)
        if count == 2 and smaller:
            return
    raise ImageError(f"this holds {count} pictures. Save each as a file of its own.")


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(PNG_COLOR + 1)
