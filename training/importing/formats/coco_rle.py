"""Decode COCO's run-length encoding of a mask, with checks that pycocotools, in C, does not make."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.shapes import Box, Mask

# A character holds 5 bits of a number and says whether more follow; counts have at most 32 bits.
OFFSET, BITS, MORE, SIGN, LARGEST_SHIFT = 48, 0x1F, 0x20, 0x10, 60


def mask_of_rle(rle: Mapping[str, object], shape: tuple[int, int]) -> Mask:
    """Decode an object.

    Parameters
    ----------
    rle : mapping
        ``size`` is [Y, X]. ``counts`` are the lengths of runs of 0 and 1 in turn, down the columns: a list, or a text
        that packs it as pycocotools does (maskApi.c, ``rleFrString``).
    shape : tuple of int
        (Y, X) of the image.

    Raises
    ------
    LabelFileError
        If its size is not that of the image, or the runs do not fill it.
    """
    size = rle.get("size")
    if size != list(shape):
        raise LabelFileError(f"its RLE has the size {size}, and the image {list(shape)}.")
    given = rle.get("counts")
    counts = _unpacked(given) if isinstance(given, str) else _whole_numbers(given)
    filled = int(counts.sum(dtype=np.float64))
    if filled != shape[0] * shape[1]:
        raise LabelFileError(f"its RLE is damaged: its runs fill {filled} of {shape[0] * shape[1]} pixels.")
    inside = np.zeros(len(counts), bool)
    inside[1::2] = True
    columns, rows = np.divmod(np.flatnonzero(np.repeat(inside, counts)), shape[0])
    if not len(rows):
        return Mask(np.empty(0, np.intp), Box(0, 0, 1, 1))
    box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return Mask((rows * shape[1] + columns).astype(np.intp), box)


def _whole_numbers(given: object) -> NDArray[np.int64]:
    if not isinstance(given, list) or not all(type(count) is int and 0 <= count < 2**40 for count in given):
        raise LabelFileError("the counts of its RLE are no list of whole numbers from 0 on.")
    return np.array(given, np.int64)


def _unpacked(text: str) -> NDArray[np.int64]:
    counts: list[int] = []
    number = shift = 0
    for character in text:
        code = ord(character) - OFFSET
        if not 0 <= code < 2 * MORE or shift > LARGEST_SHIFT:
            raise LabelFileError("the counts of its RLE are no text of pycocotools.")
        number |= (code & BITS) << shift
        shift += 5
        if code & MORE:
            continue
        if code & SIGN:
            number -= 1 << shift
        # From the fourth on, the difference to the count before the last is stored.
        counts.append(number + counts[-2] if len(counts) > 2 else number)
        if not 0 <= counts[-1] < 2**40:
            raise LabelFileError("its RLE is damaged: a run is of less than no pixel, or longer than every image.")
        number = shift = 0
    if shift:
        raise LabelFileError("the counts of its RLE are cut short.")
    return np.array(counts, np.int64)
