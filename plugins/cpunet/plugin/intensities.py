"""Give a model the intensities of an image in the units that it was trained on."""

from __future__ import annotations

from typing import Any

import numpy

from cpunet.model.card import Normalization

# CellProfiler divides the numbers of a file by one of these, by the file's type, unless the file names another largest
# number, such as 4095.
LARGEST_BY_TYPE = (1, 255, 65535, 2**32)


def intensities(pixel_data: Any, scale: Any, normalization: Normalization) -> Any:
    """Return an image's intensities in the units that a model reads, as `cpunet segment` reads them from the file.

    Parameters
    ----------
    pixel_data : ndarray
        As CellProfiler holds an image: mostly from 0 to 1.
    scale : float or None
        The image's own: what CellProfiler divided the file's numbers by. None if it is not known.
    normalization : Normalization
        From the model card.

    Returns
    -------
    ndarray of the shape of `pixel_data`
        The same array where a model normalizes by percentiles, which need no units, or reads 0 to 1 of a file's type.
        Where it reads the numbers of the file, these; whole numbers, but for the rounding error of the division, if the
        image was not changed since it was loaded.

    Notes
    -----
    A 12-bit TIFF file may say that its largest number is 4095. CellProfiler then gives 0 to 1 of that; models of the
    type's range are given 0 to 1 of the type's range all the same, so that both read one file alike.
    """
    scale = float(scale or 1.0)
    if normalization.kind == "percentile" or scale <= 0:
        return pixel_data
    if normalization.reads_zero_to_one:
        largest = next((largest for largest in LARGEST_BY_TYPE if scale <= largest), scale)
        largest = 2**32 - 1 if largest == 2**32 else largest
        return pixel_data if largest == scale else pixel_data * numpy.float32(scale / largest)
    stored = pixel_data * numpy.float32(scale)
    whole = numpy.rint(stored)
    return whole if scale > 1 and numpy.allclose(stored, whole, rtol=1e-6, atol=0.02) else stored
