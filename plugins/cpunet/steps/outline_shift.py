"""Move the outlines of all objects outward or inward by a number of pixels."""

from __future__ import annotations

from typing import Optional

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import expand_labels

# Labels are grown in so many pixels at a time, since a slide has no memory for some copies of itself.
PIXELS_AT_A_TIME = 2**22
Labels = npt.NDArray[np.int32]
Mask = Optional[npt.NDArray[np.bool_]]


def shift_outlines(labels: Labels, shift_px: float, usable: Mask = None) -> Labels:
    """Move the outlines of all objects by a distance.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        1..n without gaps; not changed.
    shift_px : float
        Pixels; outward if positive, inward if negative.
    usable : ndarray of shape (Y, X), bool, or None
        No object has a pixel outside.

    Returns
    -------
    ndarray of shape (Y, X), int32
        The same objects with the same numbers; `labels` itself for a distance of 0.

    Notes
    -----
    Outward, background within the distance is added to the nearest object, so that objects stay apart. Inward, the
    pixels of an object within the distance of a pixel that is not its own are removed. No object is lost: what would
    vanish keeps its innermost pixels. The image's frame and the edge of the mask are no outlines.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[0, 0, 1, 1, 1, 2, 2, 2, 0, 0]], np.int32)
    >>> shift_outlines(labels, 1).tolist(), shift_outlines(labels, -1).tolist()
    ([[0, 1, 1, 1, 1, 2, 2, 2, 2, 0]], [[0, 0, 0, 1, 0, 0, 2, 0, 0, 0]])
    """
    if shift_px == 0 or not labels.any():
        return labels
    return _grown(labels, shift_px, usable) if shift_px > 0 else _shrunk(labels, -shift_px, usable)


def _grown(labels: Labels, distance_px: float, usable: Mask) -> Labels:
    """Grow objects band by band of rows, since the distances of a whole slide need sixteen bytes a pixel."""
    grown = np.empty_like(labels)
    height, margin = max(1, PIXELS_AT_A_TIME // labels.shape[1]), int(np.ceil(distance_px))
    for first in range(0, len(labels), height):
        above = max(0, first - margin)
        band = expand_labels(labels[above : first + height + margin], distance_px)
        grown[first : first + height] = band[first - above :][:height]
    return grown if usable is None else np.where(usable, grown, np.int32(0))


def _shrunk(labels: Labels, distance_px: float, usable: Mask) -> Labels:
    shrunk = labels.copy()
    for number, axes in enumerate(ndimage.find_objects(labels), 1):
        window = tuple(slice(max(0, axis.start - 1), axis.stop + 1) for axis in axes)
        own = labels[window] == number
        inside = own if usable is None else own | ~usable[window]
        if inside.all():  # nothing but the object, and no outline to move
            continue
        depth_px = np.where(own, ndimage.distance_transform_edt(inside), 0)
        kept = depth_px > min(distance_px, np.nextafter(depth_px.max(), 0))
        shrunk[window][own & ~kept] = 0
    return shrunk
