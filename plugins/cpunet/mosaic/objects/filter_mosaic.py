"""Filter the objects of a mosaic; see `cpunet.steps.filters.filter_objects`, whose rules these are."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.mosaic.disk_array import DiskArray, bands_of, with_margin
from cpunet.mosaic.objects.declump_mosaic import erase_unmeasured
from cpunet.mosaic.objects.holes import fill_holes_of_mosaic
from cpunet.mosaic.objects.renumber import keep_and_renumber, pixels_of_labels_on_disk
from cpunet.steps.diameter import area_of_disc
from cpunet.steps.filters import inner_pixels

Usable = Callable[[slice, slice], Optional[npt.NDArray[np.bool_]]]


def filter_objects_of_mosaic(
    labels: DiskArray,
    usable: Usable,
    is_measured_everywhere: bool,
    folder: Path,
    diameter_range_px: Optional[Tuple[float, float]] = None,
    discard_border: bool = False,
) -> int:
    """Discard objects at the border and those of other sizes, fill holes, and renumber; `labels` are changed.

    Returns
    -------
    int
        The number of objects kept.
    """
    pixels = pixels_of_labels_on_disk(labels)
    kept = np.ones(len(pixels), bool)
    if discard_border:
        at_frame = _labels_at_frame(labels, len(pixels))
        if not is_measured_everywhere and not at_frame.any():
            at_frame = _labels_at_edge(labels, usable, len(pixels))
        kept &= ~at_frame
    if diameter_range_px is not None:
        kept &= (pixels >= area_of_disc(diameter_range_px[0])) & (pixels <= area_of_disc(diameter_range_px[1]))
    if not kept[1:].all():
        keep_and_renumber(labels, kept, in_order=False)
    fill_holes_of_mosaic(labels, folder)
    if not is_measured_everywhere:
        erase_unmeasured(labels, usable)
    return keep_and_renumber(labels, pixels_of_labels_on_disk(labels) > 0)


def _labels_at_frame(labels: DiskArray, count: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(count, bool)
    for frame in ((slice(0, 1),), (slice(-1, None),), (slice(None), slice(0, 1)), (slice(None), slice(-1, None))):
        found[labels.read(*frame)] = True
    found[0] = False
    return found


def _labels_at_edge(labels: DiskArray, usable: Usable, count: int) -> npt.NDArray[np.bool_]:
    """Find the objects at the edge of what was measured."""
    found = np.zeros(count, bool)
    for rows in bands_of(labels.shape):
        around, own = with_margin(rows, 1, labels.shape[0])
        mask = usable(around, slice(0, labels.shape[1]))
        if mask is not None:
            edge = (mask & ~inner_pixels(mask))[own]
            found[labels.read(rows)[edge]] = True
    found[0] = False
    return found
