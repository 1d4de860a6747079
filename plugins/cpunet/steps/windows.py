"""Windows of a large image, in which its objects are measured."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple, TypeVar

import numpy as np
import numpy.typing as npt

# The objects of a large image are measured in a window of this side.
WINDOW_PX = 1024
# Windows are ranked by contrast: this one is neither an empty corner nor the one with the brightest piece of dust.
CONTRAST_PERCENTILE = 75
Mask = Optional[npt.NDArray[np.bool_]]
Window = Tuple[slice, slice]
Part = TypeVar("Part")


def windows_to_measure(plane: npt.NDArray[np.float32], usable: Mask = None) -> List[Window]:
    """Return windows that cover a normalized plane (Y, X), in the order in which objects are looked for in them.

    The first has the third quartile of contrast (standard deviation of the usable pixels). The others follow by
    falling contrast.
    """
    windows = windows_of(plane.shape)
    return by_contrast(windows, [contrast(plane[w], None if usable is None else usable[w]) for w in windows])


def windows_of(shape: Tuple[int, ...]) -> List[Window]:
    """Cover a plane of this height and width with windows, row by row."""
    return [(rows, columns) for rows in _parts(shape[0]) for columns in _parts(shape[1])]


def contrast(part: npt.NDArray[np.float32], usable: Mask = None) -> float:
    """Return the standard deviation of the usable pixels of a part of a plane; 0 if there is none."""
    values = part if usable is None else part[usable]
    return float(values.std()) if values.size else 0.0


def by_contrast(windows: Sequence[Part], contrasts: Sequence[float]) -> List[Part]:
    """Sort windows, of an image or a volume, in the order of `windows_to_measure`."""
    wanted = np.percentile(contrasts, CONTRAST_PERCENTILE)
    first = int(np.argmin(np.abs(np.array(contrasts) - wanted)))
    others = sorted((i for i in range(len(windows)) if i != first), key=lambda i: -contrasts[i])
    return [windows[index] for index in (first, *others)]


def _parts(size: int) -> List[slice]:
    """Cover an axis with windows; the last one ends at its end."""
    starts = list(range(0, max(1, size - WINDOW_PX + 1), WINDOW_PX))
    if starts[-1] + WINDOW_PX < size:
        starts.append(size - WINDOW_PX)
    return [slice(start, min(start + WINDOW_PX, size)) for start in starts]


def middle_of(window: Window, side_px: int) -> Window:
    """Return the square of a side in the middle of a window; less where the window is smaller.

    >>> middle_of((slice(0, 100), slice(1024, 2048)), 512)
    (slice(0, 100, None), slice(1280, 1792, None))
    """
    margins = [max(0, (axis.stop - axis.start - side_px) // 2) for axis in window]
    rows, columns = (slice(axis.start + margin, axis.stop - margin) for axis, margin in zip(window, margins))
    return rows, columns


def cut(channels: npt.NDArray[np.float32], usable: Mask, window: Window) -> Tuple[npt.NDArray[np.float32], Mask]:
    """Return a window of channels (C, Y, X) and of their usable pixels (Y, X)."""
    return channels[(slice(None), *window)], None if usable is None else usable[window]
