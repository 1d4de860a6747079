"""The pixels of a file as they are stored, and what the file says on how to show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError


@dataclass(frozen=True)
class StoredImage:
    """Numbers of one plane, as a file stores them.

    Attributes
    ----------
    pixels : ndarray of shape (Y, X) or (Y, X, C)
        In the machine's byte order. Transparency is left out.
    palette : ndarray of shape (n, 3), uint8 or uint16, optional
        The color of each number, where numbers stand for colors.
    min_is_white : bool
        Whether 0 is shown white.
    bits : int
        Of one number, where they are fewer than its type has; else 0.
    shown_factor : int
        What the numbers are multiplied with to be seen: those of 2 and 4 bits in a PNG.
    lossy : str
        The compression that has changed the numbers; empty if none has.
    changed : bool
        Whether the file holds more or another order than `pixels`.
    note : str
        What had to be supposed to read it; empty if nothing.
    """

    pixels: npt.NDArray[Any]
    palette: Optional[npt.NDArray[Any]] = None
    min_is_white: bool = False
    bits: int = 0
    shown_factor: int = 1
    lossy: str = ""
    changed: bool = False
    note: str = ""


def as_shown(stored: StoredImage) -> npt.NDArray[Any]:
    """Return an image as its file says that it is to be seen: colors of a palette, and white where light was.

    Raises
    ------
    ImageError
        If 0 is white and the numbers are fractions or negative, so that no number is black.
    """
    pixels = stored.pixels
    if stored.palette is not None:
        if pixels.max(initial=0) >= len(stored.palette):
            raise ImageError(
                f"this has a palette of {len(stored.palette)} colors, and its pixels ask for number {pixels.max()}; "
                "the file is damaged. Save it again."
            )
        colors: npt.NDArray[Any] = stored.palette[pixels]
        return colors
    if stored.min_is_white:
        if pixels.dtype == bool:
            return ~pixels
        if not np.issubdtype(pixels.dtype, np.unsignedinteger):
            raise ImageError(
                f"this says that 0 is white (MINISWHITE) and holds {pixels.dtype} values, of which none is black. Save "
                "it with black as 0."
            )
        largest = 2 ** (stored.bits or 8 * pixels.dtype.itemsize) - 1
        pixels = pixels.dtype.type(largest) - pixels
    return pixels if stored.shown_factor == 1 else pixels * pixels.dtype.type(stored.shown_factor)


def stored_numbers(stored: StoredImage) -> npt.NDArray[Any]:
    """Return the numbers of a label image: those stored, never the colors that a palette shows them in.

    Raises
    ------
    ImageError
        If lossy compression has changed the numbers.
    """
    if stored.lossy:
        raise ImageError(
            f"this is compressed with {stored.lossy}, which changes numbers, so that it cannot hold labels. Save the "
            "labels as PNG or TIFF."
        )
    return stored.pixels


def clear_numbers(stored: StoredImage) -> npt.NDArray[Any]:
    """Return `stored_numbers` if it is clear that these are the labels, and not the colors of a picture.

    Raises
    ------
    ImageError
        Also if the palette shows another number than 0 in black: where a program has saved a picture of objects on
        black with a palette, 0 is an object.
    """
    if stored.palette is not None:
        black = np.flatnonzero((stored.palette == 0).all(axis=1))
        if len(black) and 0 not in black and np.isin(stored.pixels, black).any():
            raise ImageError(
                f"this has a palette in which black is the number {black[0]} and not 0, so that it is not clear "
                "whether its numbers or its colors are the labels. In `cpunet data import` say --label-format "
                "instances or colors; or save the labels without a palette."
            )
    return stored_numbers(stored)
