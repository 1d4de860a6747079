"""Choose the scale at which the network sees a volume, as for images: segment it, measure the objects, and repeat."""

from __future__ import annotations

import itertools
from typing import List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.protocol import Model
from cpunet.options import Options, sees_once
from cpunet.segmentation import Segmentation
from cpunet.steps.scale import first_pass_with_objects, judgment, measure_scale, scale_of_options
from cpunet.steps.windows import by_contrast, contrast
from cpunet.volumes.spacing import z_step_of

# The objects of a large volume are measured in a part of so many planes, rows and columns.
WINDOW = (64, 256, 256)
MOST_WINDOWS = 4

Mask = Optional[npt.NDArray[np.bool_]]
Box = Tuple[slice, ...]


def choose_scale_of_volume(
    channels: npt.NDArray[np.float32], usable: Mask, model: Model, options: Options
) -> Tuple[float, Optional[Segmentation], Tuple[str, ...]]:
    """Choose by how much the height and width of a volume are enlarged for the network.

    Parameters
    ----------
    channels : ndarray of shape (C, Z, Y, X), float32
        From `cpunet.volumes.prepare.prepare_volume`.
    usable : ndarray of shape (Z, Y, X), bool, or None
    model : Model
    options : Options

    Returns
    -------
    scale : float
        The options' scale, or the one for their diameter, or else the one that `cpunet.steps.scale.measure_scale`
        finds. 1 if the objects lie in the range that the model was trained on.
    seen : Segmentation or None
        What the last pass of the measurement found, if it need not be repeated. Decoded as the card says.
    notes : tuple of str
        What a user should know if the scale could not be judged.

    Notes
    -----
    A volume of more than two windows is measured in one of them: the first with ten objects of `MOST_WINDOWS`, or the
    one with most. The whole is looked at only if none of them holds an object.
    """
    scale = scale_of_options(model.card.input, options)
    if scale is not None:
        return scale, None, ()
    z_step_px = z_step_of(model.card.input, options)
    whole = channels, usable
    if channels[0].size > 2 * int(np.prod(WINDOW)):
        windows = _windows(channels[0], usable)[:MOST_WINDOWS]
        parts = [(channels[(slice(None), *box)], None if usable is None else usable[box]) for box in windows]
        index, first = first_pass_with_objects(parts, model, options)
        if first.labels.any():
            found = measure_scale(*parts[index], model, options, first, z_step_px)
            return found.scale, None, judgment(found, model.card, z_step_px)
    found = measure_scale(*whole, model, options, z_step_px=z_step_px)
    return found.scale, found if sees_once(options) else None, judgment(found, model.card, z_step_px)


def _windows(volume: npt.NDArray[np.float32], usable: Mask) -> List[Box]:
    """Cover a volume (Z, Y, X) with windows, in the order in which objects are looked for in them."""
    boxes: List[Box] = list(itertools.product(*map(_parts, volume.shape, WINDOW)))
    return by_contrast(boxes, [contrast(volume[box], None if usable is None else usable[box]) for box in boxes])


def _parts(size: int, length: int) -> List[slice]:
    """Cover an axis with windows; the last one ends at its end."""
    starts = list(range(0, max(1, size - length + 1), length))
    if starts[-1] + length < size:
        starts.append(size - length)
    return [slice(start, min(start + length, size)) for start in starts]
