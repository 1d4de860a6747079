"""Decode the pixels of TIFF pages with tifffile, and with Pillow where tifffile lacks a package."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.files.formats.pictures import opened, pixels_of

# Values of the tag PhotometricInterpretation.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, TRANSPARENCY, SEPARATED, YCBCR = range(7)
# What Pillow turns into red, green and blue, and tifffile leaves as stored.
CONVERTED = (SEPARATED, YCBCR)
ALPHA = (1, 2)  # values of the tag ExtraSamples
# Beyond twice their size, strips and tiles of pixels are never so much larger for being compressed.
SPARE_BYTES = 4096
ORIENTATION, NOT_TURNED = 274, 1
NO_COMPRESSION = 1
JPEGS = {6: "JPEG", 7: "JPEG", 34892: "JPEG", 33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000"}
# None, CCITT, LZW, JPEG, ZIP, PackBits and ThunderScan: what the libtiff within Pillow decodes on every system.
IN_PILLOW = (NO_COMPRESSION, 2, 3, 4, 5, 6, 7, 8, 32773, 32809, 32946)
LACKS_PLANES = "this lacks planes that it declares. Copy or save it again."
SAVE_PLAIN = "Save it as TIFF without compression or with ZIP, or install the package imagecodecs."


class Planes(NamedTuple):
    """The pages of an image, the axes and shape of what they hold without axes of length 1, and how to read them."""

    pages: Sequence[Any]
    axes: str
    shape: Tuple[int, ...]
    read: Callable[[], npt.NDArray[Any]]


def refuse_other_numbers(page: Any) -> None:
    """Raise ImageError if a page's colors or numbers are of a kind that is not read."""
    if int(page.photometric) not in range(YCBCR + 1):
        raise ImageError(
            f"this stores its colors as {name_of(page.photometric)}; gray, RGB and palettes are read. Save it as RGB."
        )
    if page.dtype is None:
        raise ImageError(
            f"this holds numbers of {page.bitspersample} bits of the kind {name_of(page.sampleformat)}, which are not "
            "read. Save it with 8, 16 or 32 bits."
        )


def refuse_broken_chain(file: Any) -> None:
    """Raise ImageError if the last page of an open TIFF file says that another one lies beyond the end of the file.

    Of a stack that was cut short, the first pages can be whole, and would be taken for all of it.
    """
    if not len(file.pages):  # which others refuse
        return
    handle, tiff = file.filehandle, file.tiff
    handle.seek(file.pages[-1].offset)
    (tags,) = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))
    handle.seek(tags * tiff.tagsize, os.SEEK_CUR)
    stored = handle.read(tiff.offsetsize)
    following = struct.unpack(tiff.offsetformat, stored)[0] if len(stored) == tiff.offsetsize else 0
    if following >= handle.size:
        raise ImageError(
            f"this is cut short: its next plane is at byte {following}, and it has {handle.size}. Copy it again."
        )


def refuse_cut_short(pages: Sequence[Any], size: int) -> None:
    """Raise ImageError if a strip or tile of a page lies beyond the end of a file of `size` bytes, or is left out."""
    for page in pages:
        if page is None:
            raise ImageError(LACKS_PLANES)
        segments = list(zip(page.dataoffsets, page.databytecounts))
        end = max((begin + count for begin, count in segments), default=0)
        if end > size:
            raise ImageError(f"this is cut short: its pixels end at byte {end}, and it has {size}. Copy it again.")
        missing = sum(begin == 0 or count == 0 for begin, count in segments)
        if missing or not segments:
            raise ImageError(
                f"this lacks pixels: {missing} of its {len(segments)} strips or tiles were never written. Save it "
                "again."
            )
        unpacked = len(segments) * _bytes_of_segment(page.keyframe)
        packed = sum(count for _, count in segments)
        least = _least_bytes(page.keyframe)
        if packed < least:
            raise ImageError(
                f"this lacks pixels: it holds {packed} bytes of them, and its size needs {least}. Copy or save it "
                "again."
            )
        if packed > 2 * unpacked + SPARE_BYTES * len(segments):
            raise ImageError(
                f"this holds {packed} bytes for {unpacked} bytes of pixels; it is damaged, or made to fill the memory. "
                "Save it again."
            )


def decoded(planes: Planes, path: Path) -> npt.NDArray[Any]:
    """Decode an image.

    Parameters
    ----------
    planes : Planes
        At most one axis beside Y and X.
    path : Path
        The file, for Pillow.

    Returns
    -------
    ndarray of shape (Y, X) or (Y, X, C)
        The stored numbers, without transparency. Red, green and blue of CMYK and YCbCr.

    Raises
    ------
    ImageError
        If the pixels cannot be decoded with all their bits.
    """
    page = planes.pages[0].keyframe
    photometric, compression = int(page.photometric), int(page.compression)
    if photometric not in CONVERTED or (photometric == YCBCR and compression in JPEGS):
        try:
            return without_alpha(_channels_last(planes), page)
        except MemoryError:
            raise
        except Exception as error:  # each codec brings exceptions of its own
            reason = " ".join(str(error).split()) or type(error).__name__
    else:
        reason = f"{name_of(page.photometric)} is not understood"
    how = "not compressed" if compression == NO_COMPRESSION else f"compressed with {name_of(page.compression)}"
    way_out = f"{SAVE_PLAIN} If no other program opens it, it is damaged."
    if compression == NO_COMPRESSION:
        way_out = "Save it again with 8 or 16 bits, or 32 for fractions. If no other program opens it, it is damaged."
    trouble = ImageError(
        f"its pixels are {how} ({name_of(page.photometric)}, {page.bitspersample} bits) and cannot be decoded here "
        f"({reason}). {way_out}"
    )
    pixels = _decoded_by_pillow(planes, path, trouble)
    if pixels.dtype.itemsize < page.dtype.itemsize:
        raise ImageError(
            f"this is {how} so that only {8 * pixels.dtype.itemsize} of its {8 * page.dtype.itemsize} bits can be "
            f"read. {SAVE_PLAIN}"
        )
    return pixels.astype(page.dtype, copy=False)


def _bytes_of_segment(page: Any) -> int:
    """Return the bytes of a strip or tile, not compressed."""
    pixels = (
        page.tilelength * page.tilewidth
        if page.is_tiled
        else min(page.rowsperstrip, page.imagelength) * page.imagewidth
    )
    return int(pixels) * int(page.samplesperpixel) * int(page.dtype.itemsize)


def _least_bytes(page: Any) -> int:
    """Return the bytes that a page's pixels take where they are stored as they are; 0 where they are compressed."""
    if int(page.compression) != NO_COMPRESSION or int(page.photometric) == YCBCR:
        return 0
    return int(page.imagelength) * (int(page.imagewidth) * int(page.samplesperpixel) * bits_of(page) // 8)


def bits_of(page: Any) -> int:
    """Return the bits of one number of a page."""
    bits = page.bitspersample
    return int(bits if np.ndim(bits) == 0 else bits[0])


def palette_of_page(page: Any) -> Optional[npt.NDArray[Any]]:
    """Return a page's palette (n, 3): uint8 for at most 256 colors, else uint16; None if it has none."""
    if int(page.photometric) != PALETTE:
        return None
    if page.colormap is None:
        raise ImageError("this says that its numbers stand for colors, and has no palette. Save it as gray or RGB.")
    palette = np.asarray(page.colormap, np.uint16).T
    if bits_of(page) > 8 or palette.max(initial=0) < 256:  # some programs write palettes of 8 bits
        return palette if bits_of(page) > 8 else palette.astype(np.uint8)
    return (palette >> 8).astype(np.uint8)


def name_of(value: Any) -> str:
    """Return the name of a tag's value, such as ZSTD; its number if tifffile knows none."""
    return str(getattr(value, "name", value))


def _channels_last(planes: Planes) -> npt.NDArray[Any]:
    pixels = np.asarray(planes.read()).reshape(planes.shape)
    channel_axis = next((number for number, axis in enumerate(planes.axes) if axis not in "YX"), 2)
    return np.moveaxis(pixels, channel_axis, 2) if pixels.ndim == 3 else pixels


def without_alpha(pixels: npt.NDArray[Any], page: Any) -> npt.NDArray[Any]:
    """Leave out what is no measurement: of RGB all beyond three samples, of gray those that are said to be alpha."""
    if pixels.ndim == 2 or page.samplesperpixel == 1:
        return pixels
    if int(page.photometric) in (RGB, YCBCR):
        return pixels[..., :3]
    alpha = sum(int(extra) in ALPHA for extra in page.extrasamples)
    kept = pixels[..., : pixels.shape[2] - alpha]
    return kept[..., 0] if kept.shape[2] == 1 else kept


def _decoded_by_pillow(planes: Planes, path: Path, trouble: ImageError) -> npt.NDArray[Any]:
    page = planes.pages[0].keyframe
    photometric, bits = int(page.photometric), bits_of(page)
    number = planes.pages[0].index
    if len(planes.pages) > 1 or int(page.compression) not in IN_PILLOW:
        raise trouble
    if not isinstance(number, int):  # Pillow reads no page within a page
        raise trouble
    try:
        with opened(path) as picture:
            picture.seek(number)
            picture.getexif()[ORIENTATION] = NOT_TURNED  # otherwise Pillow turns the image as this tag says
            mode = picture.mode
            pixels = pixels_of(picture)
    except ImageError:
        raise
    except Exception as error:
        raise trouble from error
    lengths = dict(zip(planes.axes, planes.shape))
    colors = photometric == RGB or photometric in CONVERTED
    if pixels.shape != (lengths["Y"], lengths["X"], *((3,) if colors else ())):
        raise trouble
    if photometric == WHITE_IS_ZERO and mode in ("1", "L"):  # which Pillow has turned into black
        pixels = ~pixels
    if mode == "L" and photometric != PALETTE and bits < 8:
        pixels = pixels // np.uint8(255 // (2**bits - 1))  # which Pillow has stretched to 0..255
    return pixels
