"""Choose the scale at which the network sees a mosaic, as `cpunet.steps.scale.choose_scale` does."""

from __future__ import annotations

from typing import Callable, List, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.protocol import Model
from cpunet.mosaic.disk_array import DiskArray
from cpunet.mosaic.prepared import PreparedMosaic
from cpunet.options import Options
from cpunet.segmentation import Segmentation
from cpunet.steps.scale import (
    ENOUGH_OBJECTS,
    FIRST_LOOK_PX,
    MOST_WINDOWS,
    first_pass_with_objects,
    is_clearly_known,
    judgment,
    measure_scale,
    scale_of_options,
)
from cpunet.steps.windows import WINDOW_PX, Window, by_contrast, contrast, middle_of, windows_of

# More columns than a window has: numpy adds the numbers of a part in another order than those of an array by itself.
MORE_COLUMNS = 8
SeeWhole = Callable[[], Tuple[DiskArray, Callable[[Window], Segmentation]]]


def choose_scale_of_mosaic(
    mosaic: PreparedMosaic, model: Model, options: Options, see_whole: SeeWhole
) -> Tuple[float, Tuple[str, ...]]:
    """Choose by how much a mosaic is enlarged for the network.

    Parameters
    ----------
    mosaic : PreparedMosaic
    model : Model
    options : Options
    see_whole : callable
        Returns the objects of the whole mosaic at its own scale, without augmentation, and what gives a window of them.
        Called only if no window that was seen holds enough of them.

    Returns
    -------
    scale : float
    notes : tuple of str
        What a user should know if the scale could not be judged.
    """
    scale = scale_of_options(model.card.input, options)
    if scale is not None:
        return scale, ()
    height, width = mosaic.shape
    if height * width <= 2 * WINDOW_PX**2:
        whole = slice(0, height), slice(0, width)
        found = measure_scale(mosaic.read(*whole), mosaic.usable(*whole), model, options)
    else:
        windows = _windows_in_order(mosaic)
        middle = middle_of(windows[0], FIRST_LOOK_PX)
        if is_clearly_known(mosaic.read(*middle), mosaic.usable(*middle), model, options):
            return 1.0, ()
        seen = [(mosaic.read(*window), mosaic.usable(*window)) for window in windows[:MOST_WINDOWS]]
        index, first = first_pass_with_objects(seen, model, options)
        part = seen[index]
        if first.labels.max(initial=0) < ENOUGH_OBJECTS:
            window, first = _window_with_most_objects(windows, mosaic, see_whole)
            part = mosaic.read(*window), mosaic.usable(*window)
        found = measure_scale(*part, model, options, first)
    return found.scale, judgment(found, model.card)


def _windows_in_order(mosaic: PreparedMosaic) -> List[Window]:
    windows = windows_of(mosaic.shape)
    contrasts = []
    for window in windows:
        contrasts.append(contrast(_as_part(mosaic.read(*window)[0], mosaic.shape[1]), mosaic.usable(*window)))
    return by_contrast(windows, contrasts)


def _as_part(plane: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Return a plane as a part of a wider array, if it is one of the mosaic."""
    if plane.shape[1] == width:
        return np.ascontiguousarray(plane)
    wide = np.empty((plane.shape[0], plane.shape[1] + MORE_COLUMNS), np.float32)
    wide[:, : plane.shape[1]] = plane
    return wide[:, : plane.shape[1]]


def _window_with_most_objects(
    windows: List[Window], mosaic: PreparedMosaic, see_whole: SeeWhole
) -> Tuple[Window, Segmentation]:
    labels, segmentation_in = see_whole()
    window = max(windows, key=lambda each: len(np.unique(labels.read(*each))))
    return window, segmentation_in(window)
