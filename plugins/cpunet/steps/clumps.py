"""Split clumps, which are connected regions with several seeds, by a watershed of these regions alone."""

from __future__ import annotations

from typing import Iterator, List, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import watershed

from cpunet.steps.filters import inner_pixels
from cpunet.steps.runs import Places, Runs, chosen_runs, joined, painted, runs_of, stretches

# A canvas of this size, with the queue of its watershed, stays within a processor's cache.
CANVAS_PX = 2**18
Labels = npt.NDArray[np.int32]


def split_regions(regions: Runs, markers: Runs, score: npt.NDArray[np.float32]) -> Runs:
    """Divide each region that holds two markers or more among them, by a watershed on the score within the region.

    Parameters
    ----------
    regions : Runs
        Each number is a connected region.
    markers : Runs
        Within the regions.
    score : ndarray of shape (Y, X), float32
        High in the middle of objects and low where two meet.

    Returns
    -------
    Runs
        `regions` itself if there is no clump. The numbers may have gaps.

    Notes
    -----
    Clumps are few, and cover little of an image. They are laid side by side on a small canvas, which is flooded in
    place of the image. How a clump is split depends on nothing outside it.
    """
    highest = int(regions.number.max(initial=0))
    region_of_run = regions.number[np.searchsorted(regions.first, markers.first, side="right") - 1]
    region_of_marker = np.zeros(int(markers.number.max(initial=0)) + 1, np.intp)
    region_of_marker[markers.number] = region_of_run
    is_clump = np.bincount(region_of_marker, minlength=highest + 1) > 1
    is_clump[0] = False
    if not is_clump.any():
        return regions
    clumped = is_clump[regions.number]
    clumps, seeds = chosen_runs(regions, clumped), chosen_runs(markers, is_clump[region_of_run])
    parts = [chosen_runs(regions, ~clumped)]
    canvas_of_run, places, shapes = _on_canvases(clumps, score.shape[1])
    canvas_of_region = np.zeros(highest + 1, np.intp)
    canvas_of_region[clumps.number] = canvas_of_run
    for in_image, on_canvas, own, shape in zip(
        _grouped(clumps, canvas_of_run),
        _grouped(clumps._replace(first=places), canvas_of_run),
        _grouped(seeds, canvas_of_region[region_of_marker[seeds.number]]),
        shapes,
    ):
        inside, height = np.zeros(shape, bool), np.zeros(shape, np.float32)
        places = stretches(on_canvas.first, on_canvas.length)
        inside.reshape(-1)[places] = True
        height.reshape(-1)[places] = score.reshape(-1)[stretches(in_image.first, in_image.length)]
        flooded = runs_of(flood(inside, painted(_moved(own, in_image, on_canvas), shape), height))
        parts.append(_moved(flooded, on_canvas, in_image)._replace(number=flooded.number + highest))
    return joined(parts)


def _on_canvases(clumps: Runs, width: int) -> Tuple[Places, Places, List[Tuple[int, int]]]:
    """Lay clumps on canvases of about `CANVAS_PX`, or of a single larger clump.

    Returns the canvas of each run, from 0 on, and the place of its first pixel there; and the height and width of each
    canvas. The clumps stand in rows from the tallest to the lowest, with a pixel between two.
    """
    _, clump_of_run = np.unique(clumps.number, return_inverse=True)
    row, column = np.divmod(clumps.first, width)
    by_clump = np.argsort(clump_of_run, kind="stable")
    begins = np.flatnonzero(np.diff(clump_of_run[by_clump], prepend=-1))
    top, bottom = (extreme.reduceat(row[by_clump], begins) for extreme in (np.minimum, np.maximum))
    left = np.minimum.reduceat(column[by_clump], begins)
    tall = bottom - top + 1
    wide = np.maximum.reduceat((column + clumps.length)[by_clump], begins) - left
    tallest_first = np.argsort(-tall, kind="stable")
    _, first_of_canvas = np.unique(np.cumsum((tall * wide)[tallest_first]) // CANVAS_PX, return_index=True)
    # Of each clump: its canvas, the canvas' width, and how far it moves down and to the right.
    canvas_of, width_of, down, right = np.zeros((4, len(top)), np.intp)
    shapes = []
    for canvas, chosen in enumerate(np.split(tallest_first, first_of_canvas[1:])):
        y, x, shape = _in_rows(tall[chosen] + 1, wide[chosen] + 1)
        canvas_of[chosen], width_of[chosen] = canvas, shape[1]
        down[chosen], right[chosen] = y - top[chosen], x - left[chosen]
        shapes.append(shape)
    places = (row + down[clump_of_run]) * width_of[clump_of_run] + column + right[clump_of_run]
    return canvas_of[clump_of_run], places, shapes


def _grouped(runs: Runs, group: Places) -> Iterator[Runs]:
    """Yield the runs of each group; the groups are numbered from 0 on without gaps."""
    order = np.argsort(group, kind="stable")
    for chosen in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        yield chosen_runs(runs, chosen)


def _in_rows(tall: Places, wide: Places) -> Tuple[Places, Places, Tuple[int, int]]:
    """Put rectangles, the tallest first, side by side in rows of about a square.

    Returns their tops, their left sides, and the height and width that they need.
    """
    left = np.cumsum(wide) - wide
    # A row ends with the rectangle that reaches beyond this.
    row = left // (1 + int(np.sqrt((tall * wide).sum())))
    _, first, row = np.unique(row, return_index=True, return_inverse=True)
    left -= left[first][row]
    top = (np.cumsum(tall[first]) - tall[first])[row]
    return top, left, (int(tall[first].sum()), int((left + wide).max()))


def _moved(runs: Runs, before: Runs, after: Runs) -> Runs:
    """Move runs that lie within those of `before` to where these lie in `after`."""
    order = np.argsort(before.first, kind="stable")
    around = order[np.searchsorted(before.first, runs.first, side="right", sorter=order) - 1]
    return runs._replace(first=runs.first + (after.first - before.first)[around])


def flood(inside: npt.NDArray[np.bool_], markers: Labels, score: npt.NDArray[np.float32]) -> Labels:
    """Divide the pixels of clumps among the markers in them, by a watershed from the highest score down.

    All arrays are (Y, X), or (Z, Y, X).
    """
    # The inner pixels of a marker have no neighbor to flood; without them the watershed's queue is far shorter.
    inner = inner_pixels(markers > 0) if markers.ndim == 2 else ndimage.binary_erosion(markers > 0, border_value=1)
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
