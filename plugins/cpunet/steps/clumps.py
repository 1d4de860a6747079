"""Split clumps, which are connected regions with several seeds, by a watershed of these regions alone."""

from __future__ import annotations

from typing import Iterator, List, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from cpunet.steps.filters import inner_pixels, pixels_of_objects

# A canvas of this size, with the queue of its watershed, stays within a processor's cache.
CANVAS_PX = 2**18
Labels = npt.NDArray[np.int32]
Window = Tuple[slice, slice]


def split_regions(regions: Labels, markers: Labels, score: npt.NDArray[np.float32]) -> Labels:
    """Divide each region that holds two markers or more among them, by a watershed on the score within the region.

    Parameters
    ----------
    regions : ndarray of shape (Y, X), int32
        Connected; 0 is background. Not changed.
    markers : ndarray of shape (Y, X), int32
        1..n without gaps, within the regions.
    score : ndarray of shape (Y, X), float32
        High in the middle of objects and low where two meet.

    Returns
    -------
    ndarray of shape (Y, X), int32
        `regions` itself if there is no clump. The labels may have gaps.

    Notes
    -----
    Clumps are few, and cover little of an image. They are laid side by side on a small canvas, which is flooded in
    place of the image. How a clump is split depends on nothing outside it.
    """
    clumps = _regions_with_several(regions, markers)
    if not len(clumps):
        return regions
    split, highest = regions.copy(), regions.max()
    everywhere = ndimage.find_objects(regions)
    for numbers, windows, places, shape in _canvases(clumps, [everywhere[number - 1] for number in clumps]):
        inside, seeds, height = np.zeros(shape, bool), np.zeros(shape, np.int32), np.zeros(shape, np.float32)
        for number, window, place in zip(numbers, windows, places):
            own = regions[window] == number
            inside[place] = own
            np.copyto(seeds[place], markers[window], where=own)
            height[place] = score[window]
        flooded = flood(inside, seeds, height)
        flooded += highest
        for window, place in zip(windows, places):
            np.copyto(split[window], flooded[place], where=inside[place])
    return split


def _regions_with_several(regions: Labels, markers: Labels) -> npt.NDArray[np.intp]:
    """Return the labels of the regions that hold two markers or more."""
    region_of_marker = np.zeros(int(markers.max()) + 1, np.intp)
    of_pixel = regions.reshape(-1)
    for places, numbers in pixels_of_objects(markers):
        region_of_marker[numbers] = of_pixel[places]
    return np.flatnonzero(np.bincount(region_of_marker[1:], minlength=1) > 1)


def _canvases(
    clumps: npt.NDArray[np.intp], windows: List[Window]
) -> Iterator[Tuple[npt.NDArray[np.intp], List[Window], List[Window], Tuple[int, int]]]:
    """Lay clumps on canvases of about `CANVAS_PX`, or of a single larger clump.

    Yields the clumps of a canvas, their windows in the image, their places on the canvas, and its height and width.
    They stand in rows from the tallest to the lowest, with a pixel between two.
    """
    height, width = (np.array([window[axis].stop - window[axis].start for window in windows]) for axis in (0, 1))
    tallest_first = np.argsort(-height, kind="stable")
    canvas_of = np.cumsum((height * width)[tallest_first]) // CANVAS_PX
    for canvas in np.unique(canvas_of):
        chosen = tallest_first[canvas_of == canvas]
        tall, wide = height[chosen] + 1, width[chosen] + 1
        left = np.cumsum(wide) - wide
        # A row ends with the clump that reaches beyond this.
        row = left // (1 + int(np.sqrt((tall * wide).sum())))
        _, first, row = np.unique(row, return_index=True, return_inverse=True)
        left -= left[first][row]
        top = (np.cumsum(tall[first]) - tall[first])[row]
        places = [(slice(y, y + down - 1), slice(x, x + right - 1)) for y, x, down, right in zip(top, left, tall, wide)]
        shape = int(tall[first].sum()), int((left + wide).max())
        yield clumps[chosen], [windows[index] for index in chosen], places, shape


def flood(inside: npt.NDArray[np.bool_], markers: Labels, score: npt.NDArray[np.float32]) -> Labels:
    """Divide the pixels of clumps among the markers in them, by a watershed from the highest score down; all (Y, X)."""
    # The inner pixels of a marker have no neighbor to flood; without them the watershed's queue is far shorter.
    inner = inner_pixels(markers > 0)
    rim = inside & ~inner
    flooded: Labels = watershed(_levels(rim, markers, score), np.where(rim, markers, 0), mask=rim)
    np.copyto(flooded, markers, where=inner)
    return flooded


def _levels(rim: npt.NDArray[np.bool_], markers: Labels, score: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Return the turn in which the watershed takes each pixel of the rims: the highest score first.

    Pixels of one score share a turn, but for those of markers. These come before the others, row by row: in which order
    the watershed would take them depends on all that it holds in its queue, and so on the rest of the image.
    """
    place = np.flatnonzero(rim)
    height, free = score.ravel()[place], markers.ravel()[place] == 0
    order = np.lexsort((free, -height))
    height, free = height[order], free[order]
    begins = ~free
    begins[1:] |= (height[1:] != height[:-1]) | (free[1:] != free[:-1])
    levels = np.zeros(rim.shape, np.int32)
    levels.ravel()[place[order]] = np.cumsum(begins)
    return levels
