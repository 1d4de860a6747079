"""Planes of a volume that show it on a page."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cpunet.files.formats.volume import read_label_volume, read_volume
from cpunet.training.data.labeled_images import IndexRow

PLANES_SHOWN = 4


def fullest_plane(row: IndexRow) -> tuple[NDArray[np.generic], NDArray[np.int32]]:
    """Return the plane of a volume with most labeled voxels, (Y, X) or (Y, X, C), and its labels, (Y, X)."""
    image, labels = read_volume(row.image_path).pixels, read_label_volume(row.labels_path).pixels
    plane = int((labels > 0).sum(axis=(1, 2)).argmax())
    return image[plane], labels[plane].astype(np.int32)


def planes_side_by_side(row: IndexRow, z_step_px: float | None) -> tuple[NDArray[np.generic], NDArray[np.int32], str]:
    """Put a few planes of a volume side by side, and behind them a section along z, at the row with most objects.

    Parameters
    ----------
    row : IndexRow
    z_step_px : float, optional
        Distance of planes over the width of a pixel: how high a plane is drawn in the section; 1 where it is not known.

    Returns
    -------
    image : ndarray of shape (y, x) or (y, x, C)
    labels : ndarray of shape (y, x), int32
    planes : str
        The numbers of the planes, from 1 on.
    """
    image, labels = read_volume(row.image_path).pixels, read_label_volume(row.labels_path).pixels
    shown = planes_to_show(labels)
    middle = int((labels > 0).sum(axis=(0, 2)).argmax())
    high = max(1, round(z_step_px or 1))
    parts = []
    for volume in (image, labels.astype(np.int32)):
        section = np.repeat(volume[:, middle], high, axis=0)
        height = max(volume.shape[1], len(section))
        tiles = [*(volume[plane] for plane in shown), section]
        parts.append(np.concatenate([_below(tile, height) for tile in tiles], axis=1))
    return parts[0], parts[1], ", ".join(str(plane + 1) for plane in shown)


def planes_to_show(labels: NDArray[np.integer]) -> list[int]:
    """Choose up to `PLANES_SHOWN` planes, evenly among those with objects, or among all where there is none."""
    filled = np.flatnonzero(labels.any(axis=(1, 2)))
    if not len(filled):
        filled = np.arange(len(labels))
    # The middles of as many equal parts: the first and the last plane of objects show little of them.
    places = (np.arange(PLANES_SHOWN) + 0.5) / PLANES_SHOWN * len(filled)
    return sorted({int(filled[int(place)]) for place in places})


def _below(tile: NDArray[np.generic], height: int) -> NDArray[np.generic]:
    """Fill a tile up to a height with its smallest value."""
    room = [(0, height - len(tile))] + [(0, 0)] * (tile.ndim - 1)
    return np.pad(tile, room, constant_values=tile.min())
