"""Draw the outlines of a volume's objects, plane by plane, as those of an image are drawn."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from cpunet.model.card import Postprocessing
from cpunet.options import Options
from cpunet.steps.filters import relabel
from cpunet.steps.outlines import outlines_as_asked

Labels = npt.NDArray[np.int32]


def outlines_in_planes(
    labels: Labels,
    volume: npt.NDArray[Any],
    usable: Optional[npt.NDArray[np.bool_]],
    settings: Postprocessing,
    options: Options,
    scale: float,
) -> Labels:
    """Draw outlines in each plane, if the options or the model's card ask for a level or a shift.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
        1..n without gaps; not changed.
    volume : ndarray of shape (Z, Y, X) or (Z, Y, X, C)
        In any unit; its brightness counts.
    usable : ndarray of shape (Z, Y, X), bool, or None
        No object has a voxel outside.
    settings : Postprocessing
    options : Options
    scale : float
        By how much height and width were enlarged for the network.

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        1..n without gaps; `labels` itself if nothing is asked for. In each plane,
        `cpunet.steps.outlines.outlines_as_asked` draws them.
    """
    asked = options.outline_level is not None or settings.outline_level is not None or settings.outline_shift_px
    if not asked:
        return labels
    drawn = np.zeros_like(labels)
    for z, plane in enumerate(labels):
        numbers = np.unique(plane)
        own = np.searchsorted(numbers[numbers > 0], plane, side="right").astype(np.int32)
        in_plane = outlines_as_asked(own, volume[z], None if usable is None else usable[z], settings, options, scale)
        drawn[z] = np.append(0, numbers[numbers > 0])[in_plane]
    return relabel(drawn)
