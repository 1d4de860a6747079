"""The part of the sample that aligned frames show, and frames moved to it by whole pixels."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.time_lapse.shifts import FramePlace

COMMON, ALL = "common", "all"
SHOWN = (COMMON, ALL)


class Field(NamedTuple):
    """A part of the sample, in pixels of the first frame.

    Attributes
    ----------
    top, left : int
        Of its first pixel; negative above and left of the first frame.
    height, width : int
    """

    top: int
    left: int
    height: int
    width: int

    def whole(self, place: FramePlace) -> Tuple[int, int]:
        """Return by how many whole pixels a frame is moved, downward and to the right."""
        return round(place.y_px), round(place.x_px)


def common_field(places: Sequence[FramePlace], shape: Tuple[int, int], shown: str = COMMON) -> Field:
    """Return the part of the sample that the aligned frames of a time-lapse show.

    Parameters
    ----------
    places : sequence of FramePlace
    shape : tuple of int
        (Y, X) of each frame.
    shown : str
        ``common``: what all frames show. No object comes or goes because the camera shifted. ``all``: what any frame
        shows; frames are 0 where they show nothing.

    Raises
    ------
    ImageError
        If no part is seen in all frames.
    """
    edges = []
    for axis, size in enumerate(shape):
        moves = [round((place.y_px, place.x_px)[axis]) for place in places]
        inner, outer = (max, min) if shown == COMMON else (min, max)
        edges.append((inner(moves), outer(moves) + size))
    (top, bottom), (left, right) = edges
    if bottom <= top or right <= left:
        raise ImageError(
            f"no part of the sample is seen in all frames: the camera shifted by up to {top - bottom + shape[0]} "
            f"pixels in height and {left - right + shape[1]} in width, and frames have {shape[0]} x {shape[1]}. Use "
            "--show all, or give fewer frames."
        )
    return Field(top, left, bottom - top, right - left)


def moved(frame: npt.NDArray[Any], place: FramePlace, field: Field) -> npt.NDArray[Any]:
    """Move a frame (Y, X) to its place by whole pixels, and return what of it lies in the field.

    Returns
    -------
    ndarray of shape (field.height, field.width)
        In the frame's own type; 0 where the frame shows nothing.
    """
    whole = np.zeros((field.height, field.width), frame.dtype)
    here, there = [], []
    for move, first, length, size in zip(field.whole(place), (field.top, field.left), whole.shape, frame.shape):
        begin = max(0, move - first)
        end = min(length, move - first + size)
        here.append(slice(begin, max(begin, end)))
        there.append(slice(begin - move + first, max(begin, end) - move + first))
    whole[tuple(here)] = frame[tuple(there)]
    return whole
