"""Diameters of objects: the typical one, and the areas and volumes that belong to a diameter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def area_of_disc(diameter_px: float) -> float:
    """Return the area of a disc in pixels, as CellProfiler compares it: pi d^2 / 4."""
    return float(np.pi * diameter_px * diameter_px / 4)


def volume_of_sphere(diameter_px: float) -> float:
    """Return the volume of a sphere in cubic pixels: pi d^3 / 6."""
    return float(np.pi * diameter_px**3 / 6)


def diameter_of_sphere(volume_px: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the diameter of a sphere of a volume in cubic pixels, or of each of several.

    >>> diameter_of_sphere([volume_of_sphere(20), volume_of_sphere(3)]).round(6).tolist()
    [20.0, 3.0]
    """
    diameter: npt.NDArray[np.float64] = np.cbrt(6 * np.asarray(volume_px) / np.pi)
    return diameter


def typical_diameter(labels: npt.NDArray[np.int32], z_step_px: float = 1.0) -> float:
    """Return the area-weighted median diameter of the objects; in a volume, the volume-weighted one.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        1..n without gaps, at least one object.
    z_step_px : float
        Distance between two planes of a volume, in widths of a pixel.

    Returns
    -------
    float
        Pixels, of a disc of the same area, or a ball of the same volume, as the median object. Weighted by area, many
        small fragments hardly count.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.array([[1, 1, 1, 1, 0, 2, 0, 3]])
    >>> round(typical_diameter(labels), 2)  # the object of four pixels covers more than half of all
    2.26
    """
    areas = np.sort(np.bincount(labels[labels > 0])[1:])
    covered = np.cumsum(areas)
    median = areas[np.searchsorted(covered, covered[-1] / 2)]
    if labels.ndim == 2:
        return float(2 * np.sqrt(median / np.pi))
    return float(diameter_of_sphere(median * z_step_px))
