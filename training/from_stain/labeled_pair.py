"""From one stain and its image to labeled crops: read, align, move, crop, label, measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.errors import DataError
from cpunet.steps.filters import relabel
from cpunet.training.from_stain.alignment import LEAST_RELIABILITY, Alignment, covered_by_both, find_alignment, moved
from cpunet.training.from_stain.crops import Crops, crop_windows
from cpunet.training.from_stain.pairing import StainedPair
from cpunet.training.from_stain.quality import PairQuality, quality_of
from cpunet.training.from_stain.reading import ReadPair
from cpunet.training.from_stain.recipes import Labeler


@dataclass(frozen=True)
class LabeledCrop:
    """A part of an image with the labels that its stain gave.

    Attributes
    ----------
    id : str
        The image's, with a number from 1 on if the field was cut.
    image : ndarray of shape (Y, X) or (Y, X, C)
        Pixels as stored.
    stain : ndarray of shape (Y, X), float32
        Moved onto the image.
    labels : ndarray of shape (Y, X), int32
    quality : PairQuality
    """

    id: str
    image: NDArray[np.generic]
    stain: NDArray[np.float32]
    labels: NDArray[np.int32]
    quality: PairQuality


def aligned(pair: StainedPair, read: ReadPair, largest_px: int) -> Alignment:
    """Align a pair; DataError if no shift stands out from the others."""
    found = find_alignment(read.image.pixels, read.stain, largest_px)
    if not found.is_reliable:
        raise DataError(
            f"cannot be aligned: the best shift agrees {found.reliability:.2f} times as well as the next, and "
            f"{LEAST_RELIABILITY:g} times are needed, within {largest_px} px (--largest-shift). Is {pair.stain.name} "
            "of the same field, and in focus?"
        )
    return found


def labeled_crops(name: str, read: ReadPair, alignment: Alignment, label: Labeler, crops: Crops) -> list[LabeledCrop]:
    """Label the part of the image that the stain covers.

    The image keeps its pixels, since a model is trained on them. The stain is moved, and the whole field is labeled
    before it is cut, so that a nucleus at the edge of a crop has the outline that it has in the field.
    """
    window = covered_by_both(read.stain.shape, alignment.shift_px)
    brightest = (read.stain >= read.stain.max()).astype(np.uint8)
    saturated = ndimage.shift(brightest, alignment.shift_px, order=0).astype(bool)[window]
    stain, image = moved(read.stain, alignment.shift_px)[window], read.image.pixels[window]
    labels = label(stain)
    windows = crop_windows(labels.shape, crops)
    return [
        LabeledCrop(
            f"{name}_{number}" if len(windows) > 1 else name,
            image[part],
            stain[part],
            (own := relabel(labels[part])),
            quality_of(image[part], stain[part], saturated[part], own),
        )
        for number, part in enumerate(windows, start=1)
    ]
