"""The decoding of boundaries that the literature has: the largest region is the background, all others are objects."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import expand_labels

from cpunet.model.card import Postprocessing
from cpunet.steps.filters import fill_holes, relabel


def objects_by_largest(boundary: NDArray[np.float32], settings: Postprocessing) -> NDArray[np.int32]:
    """Find objects by their boundaries alone, as `cpunet.steps.declump.declump` did before it looked at the image.

    Parameters
    ----------
    boundary : ndarray of shape (Y, X), float32
        Probability of a boundary, 0..1.
    settings : Postprocessing
        On the image's own grid.

    Returns
    -------
    ndarray of shape (Y, X), int32
        1..n without gaps. Caicedo et al. 2019, doi:10.1002/cyto.a.23863.
    """
    regions: NDArray[np.int32] = ndimage.label(boundary <= settings.boundary_threshold, output=np.int32)[0]
    if regions.any():
        regions[regions == 1 + np.argmax(np.bincount(regions.ravel())[1:])] = 0
    if settings.dilation_px:
        regions = expand_labels(regions, settings.dilation_px).astype(np.int32)
    return relabel(fill_holes(regions) if settings.fill_holes else regions, max(settings.min_size_px, 1))
