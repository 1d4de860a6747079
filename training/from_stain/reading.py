"""Read a stain and its image, and check that they can belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import DataError
from cpunet.training.from_stain.pairing import StainedPair
from cpunet.training.importing.files import SourceImage, read_source_image

SMALLEST_SIDE_PX = 64


@dataclass(frozen=True)
class ReadPair:
    """A stain and its image, of one size.

    Attributes
    ----------
    image : SourceImage
        Its pixels are (Y, X) or (Y, X, C), as stored.
    stain : ndarray of shape (Y, X), float32
        Gray levels as stored.
    stain_dtype : str
        As stored.
    """

    image: SourceImage
    stain: NDArray[np.float32]
    stain_dtype: str


def read_pair(pair: StainedPair) -> ReadPair:
    """Read both files.

    Bit depths may differ: 8 and 16 bits, whole numbers or not, and 32-bit floating point are read as they are.

    Raises
    ------
    DataError
        If the sizes differ, the stain has several channels, or a file holds no contrast or numbers that are not finite.
    ImageError
        If a file cannot be read.
    """
    image, stain = read_source_image(pair.image), read_source_image(pair.stain)
    if stain.pixels.ndim != 2:
        raise DataError(
            f"{pair.stain}: the stain must be one gray channel; this has the shape {stain.pixels.shape}. Save its "
            "channel alone."
        )
    if stain.pixels.shape != image.pixels.shape[:2]:
        raise DataError(
            f"{pair.stain}: the stain has {_size(stain)} pixels (Y x X) and its image {pair.image.name} "
            f"{_size(image)}; they must be equal. Save both uncropped, and with the same binning."
        )
    if min(stain.pixels.shape) < SMALLEST_SIDE_PX:
        raise DataError(
            f"{pair.image}: {_size(image)} pixels are too few; {SMALLEST_SIDE_PX} a side are needed to align."
        )
    for path, pixels in ((pair.image, image.pixels), (pair.stain, stain.pixels)):
        if not np.isfinite(pixels).all():
            raise DataError(f"{path}: {int((~np.isfinite(pixels)).sum())} pixels are no finite numbers. Save it again.")
        if pixels.min() == pixels.max():
            raise DataError(f"{path}: all pixels are {pixels.min()}; there is nothing to see.")
    return ReadPair(image, stain.pixels.astype(np.float32), str(stain.pixels.dtype))


def _size(source: SourceImage) -> str:
    return f"{source.pixels.shape[0]} x {source.pixels.shape[1]}"
