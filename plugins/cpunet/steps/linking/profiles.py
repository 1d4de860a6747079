"""How large and how bright each object is in each plane."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int32]
# Voxels of which the brightness of the background is taken, spread evenly over the stack.
VOXELS_OF_BACKGROUND = 10**5


class Profiles(NamedTuple):
    """What each plane holds of each object; objects may have gaps.

    Attributes
    ----------
    area : ndarray of shape (Z, n + 1), float64
        Pixels, by plane and number of the object; column 0, the background, is 0.
    contrast : ndarray of shape (Z, n + 1), float64
        How far the mean brightness of those pixels lies from that of the background, on the side on which the objects
        of the stack lie: mostly positive. 0 where the object is not.
    """

    area: npt.NDArray[np.float64]
    contrast: npt.NDArray[np.float64]


def brightness_of(stack: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the brightness of each voxel of a stack (Z, Y, X) or (Z, Y, X, C): the mean of its channels."""
    return stack if stack.ndim == 3 else stack.mean(axis=3, dtype=np.float32)


def profiles_of(labels: Labels, brightness: npt.NDArray[Any]) -> Profiles:
    """Measure each object in each plane.

    Parameters
    ----------
    labels : ndarray of shape (Z, Y, X), int32
    brightness : ndarray of shape (Z, Y, X), any real dtype
        Voxels that are not finite, such as dead pixels within an object, count as area alone.
    """
    count = int(labels.max(initial=0)) + 1
    area, measured, total = (np.zeros((len(labels), count)) for _ in range(3))
    for z, (plane, own) in enumerate(zip(labels, brightness)):
        inside = plane > 0
        numbers = plane[inside]
        area[z] = np.bincount(numbers, minlength=count)
        values = own[inside]
        finite = np.isfinite(values)
        measured[z] = np.bincount(numbers[finite], minlength=count)
        total[z] = np.bincount(numbers[finite], weights=values[finite], minlength=count)
    background = _background(labels, brightness)
    above = total - measured * background
    side = 1.0 if above.sum() >= 0 else -1.0  # of objects darker than the background
    return Profiles(area, np.divide(side * above, measured, out=np.zeros_like(area), where=measured > 0))


def _background(labels: Labels, brightness: npt.NDArray[Any]) -> float:
    step = max(1, labels.size // VOXELS_OF_BACKGROUND)
    sample = brightness.reshape(-1)[::step][labels.reshape(-1)[::step] == 0]
    sample = sample[np.isfinite(sample)]
    return float(np.median(sample)) if len(sample) else 0.0
