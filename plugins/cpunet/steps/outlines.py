"""Draw the outlines of objects in the image's own pixels: at a level of the edge between inside and background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import label

from cpunet.model.card import Postprocessing
from cpunet.options import Options
from cpunet.steps.filters import inner_pixels, look_up
from cpunet.steps.outline_shift import shift_outlines
from cpunet.steps.pixels.channels import brightness
from cpunet.steps.seeds import WIDTH_IN_SIGMA, smoothed

# Below this scale the image holds more detail of an outline than the network saw.
SHRUNK_BELOW = 0.7
# To move an outline by a tenth of the object's diameter, the edge must be higher (or lower) than the level by this part
# of its height, because haze and neighbors mislead the image more than the network. At level 0.4, F1 at an IoU of 0.9
# was 0.43 instead of 0.41 on dsb2018, 0.54 instead of 0.36 on aitslab; at the level of mnfinder, 0.2, it was the same.
PULL = 0.15
# Where only detail is to be added, it takes more. On images seen at 0.36 of their size, F1 at an IoU of 0.9
# rose from 0.51 to 0.53 (aitslab) and from 0.42 to 0.46 (mnfinder); with half or 1.5 times as much, too.
PULL_WHERE_SHRUNK = 0.8
# The pixels in which an outline may move: this part of the object's diameter to both sides, within limits.
BAND_OF_DIAMETER, NARROWEST_PX, WIDEST_PX = 0.1, 3.0, 6.0
# Where the image was shrunk, the band is at least this many of the network's pixels wide.
BAND_OF_NETWORK = 1.5
# Full width at half maximum of the Gaussian that keeps the noise of single pixels from fraying an outline. Twice as
# much blurs small objects away: on mnfinder it took 0.08 of F1 at an IoU of 0.9 (level 0.2).
SMOOTHING_PX = 1.65
# Inside and background must differ by this many standard deviations of their pixels.
CLEAR = 3.0
# Smaller objects are pulled like one of this diameter.
SMALLEST_PX = 12.0
# Fewer pixels of background around an object say nothing about it.
FEWEST_PIXELS = 10
# The quartiles of a normal distribution lie so many standard deviations apart.
QUARTILES_APART = 1.349

Labels = npt.NDArray[np.int32]
Plane = npt.NDArray[np.float32]
Mask = Optional[npt.NDArray[np.bool_]]
Steps = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Window = Tuple[slice, ...]


@dataclass(frozen=True)
class Edges:
    """The edges of all objects; arrays of numbers have one for each label, and one for the background.

    Attributes
    ----------
    image : ndarray of shape (Y, X), float32
        Slightly smoothed.
    depth : ndarray of shape (Y, X), uint8
        Steps from the background; 1 on an object's own outline, 0 in the background.
    diameter_px : ndarray of shape (objects + 1,), float64
        Of a disc of the same area; `SMALLEST_PX` at least.
    band_px : ndarray of shape (objects + 1,), int
        How many steps the outline may move outward.
    core_px : ndarray of shape (objects + 1,), int
        Pixels of a greater depth always stay.
    background, contrast : ndarray of shape (objects + 1,), float64
        The median brightness around an object, and by how much that of its inside is higher; negative if it is darker.
    clear : ndarray of shape (objects + 1,), bool
        Whether the contrast is above the noise.
    windows : tuple of tuple of slice
        For each object, the rows and columns that hold it and all that surrounds it.
    """

    image: Plane
    depth: Steps
    diameter_px: npt.NDArray[np.float64]
    band_px: npt.NDArray[np.intp]
    core_px: npt.NDArray[np.intp]
    background: npt.NDArray[np.float64]
    contrast: npt.NDArray[np.float64]
    clear: npt.NDArray[np.bool_]
    windows: Tuple[Window, ...]


def outlines_as_asked(
    labels: Labels, image: npt.NDArray[Any], usable: Mask, settings: Postprocessing, options: Options, scale: float
) -> Labels:
    """Draw outlines as the options ask, or else the model's card; else anew only if the image was shrunk.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        1..n without gaps; not changed.
    image : ndarray of shape (Y, X) or (Y, X, C)
        In any unit; its brightness counts.
    usable : ndarray of shape (Y, X), bool, or None
        No object has a pixel outside.
    settings : Postprocessing
    options : Options
    scale : float
        By how much the image was enlarged for the network.

    Returns
    -------
    ndarray of shape (Y, X), int32
        The same objects with the same numbers; `labels` itself if nothing is asked for.

    Notes
    -----
    Where the image was shrunk below `SHRUNK_BELOW` and no level is given, outlines are drawn at the level at which they
    lie already, so that they get the image's resolution and keep the model's habit. The card's shift comes last. With
    the options' level, outlines are wanted there, and neither the card's level nor its shift counts.
    """
    if options.outline_level is not None:
        return _outlines_at(options.outline_level, labels, image, usable, scale)
    drawn = _outlines_at(settings.outline_level, labels, image, usable, scale)
    return shift_outlines(drawn, settings.outline_shift_px, usable)


def _outlines_at(level: Optional[float], labels: Labels, image: npt.NDArray[Any], usable: Mask, scale: float) -> Labels:
    """Draw outlines at a level; at None, anew only if the image was shrunk."""
    if not labels.any() or (level is None and scale >= SHRUNK_BELOW):
        return labels
    edges = find_edges(labels, brightness(image), usable, scale)
    if level is not None:
        return move_outlines(labels, edges, usable, level)
    own_level = level_of_outlines(labels, edges)
    return labels if own_level is None else move_outlines(labels, edges, usable, own_level, PULL_WHERE_SHRUNK)


def find_edges(labels: Labels, image: Plane, usable: Mask = None, scale: float = 1.0) -> Edges:
    """Measure how bright each object is inside, and its background.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        1..n without gaps, one object at least.
    image : ndarray of shape (Y, X), float32
    usable : ndarray of shape (Y, X), bool, or None
    scale : float
        By how much the image was enlarged for the network.

    Returns
    -------
    Edges

    Notes
    -----
    The inside of an object is all that lies deeper than the band in which its outline may move, or, in a small object,
    deeper than half of its depth. Its background is what belongs to no object in a frame around it, and is further from
    every object than the band is wide. Medians are taken of both, so that spots inside, or a piece of debris beside it,
    do not count.
    """
    count = int(labels.max())
    diameter_px = 2 * np.sqrt(np.bincount(labels.ravel(), minlength=count + 1) / np.pi)
    band_px = np.clip(BAND_OF_DIAMETER * diameter_px, NARROWEST_PX, WIDEST_PX)
    steps = np.maximum(band_px, BAND_OF_NETWORK / min(scale, 1.0)).astype(np.intp)
    widest = int(steps[1:].max())
    objects = labels > 0
    # The edge of the mask is no edge of an object, nor is the image's frame.
    depth = steps_from_outside(objects if usable is None else objects | ~usable, 2 * widest)
    depth[~objects] = 0
    distance = steps_from_outside(~objects, widest)
    if usable is not None:
        distance[~usable] = 0
    if usable is None:
        smooth = ndimage.gaussian_filter(image, SMOOTHING_PX / WIDTH_IN_SIGMA, truncate=3)
    else:
        smooth = smoothed(image, SMOOTHING_PX, usable)
    core_px, clear = np.zeros(count + 1, np.intp), np.zeros(count + 1, bool)
    background, contrast = np.zeros(count + 1), np.ones(count + 1)
    windows = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        band = int(steps[number])
        reach = 2 * band + 2
        window = tuple(slice(max(0, axis.start - reach), axis.stop + reach) for axis in (rows, columns))
        windows.append(window)
        own = labels[window] == number
        own_depth, values = depth[window][own], smooth[window]
        core_px[number] = core = min(band, int(own_depth.max()) // 2)
        around = values[distance[window] > band]
        if len(around) < FEWEST_PIXELS:
            continue
        inside, noise_inside = _median_and_noise(values[own][own_depth > core])
        background[number], noise_around = _median_and_noise(around)
        contrast[number] = inside - background[number]
        clear[number] = abs(contrast[number]) > CLEAR * np.hypot(noise_inside, noise_around) / np.sqrt(2)
    return Edges(
        smooth, depth, np.maximum(diameter_px, SMALLEST_PX), steps, core_px, background, contrast, clear, tuple(windows)
    )


def steps_from_outside(mask: npt.NDArray[np.bool_], most: int) -> Steps:
    """Count the steps from the outside of a mask (Y, X) to each pixel of it; `most` + 1 stands for all that are deeper.

    Steps lead to the 4 and to the 8 neighbors in turn, which measures distances within an octagon, at a fraction of the
    time of Euclidean ones. Beyond the image's frame, all counts as part of the mask.
    """
    steps, left = mask.astype(np.uint8), mask
    for step in range(min(most, 254)):
        left = inner_pixels(left) if step % 2 == 0 else _inner_of_square(left)
        if not left.any():
            break
        steps += left
    return steps


def _inner_of_square(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    rows = inner.copy()
    inner[:, 1:] &= rows[:, :-1]
    inner[:, :-1] &= rows[:, 1:]
    return inner


def _median_and_noise(values: Plane) -> Tuple[float, float]:
    """Return the median, and the standard deviation of a normal distribution with the same quartiles."""
    places = [len(values) // 4, len(values) // 2, 3 * len(values) // 4]
    low, median, high = np.partition(values, places)[places]  # a tenth of the time of np.percentile on so few
    return float(median), float(high - low) / QUARTILES_APART


def _height(edges: Edges, places: Places, owners: Labels) -> npt.NDArray[np.float64]:
    """Return how high pixels lie on the edges of objects: 0 as bright as their background, 1 as their inside."""
    height: npt.NDArray[np.float64] = (edges.image.ravel()[places] - edges.background[owners]) / edges.contrast[owners]
    return height


def level_of_outlines(labels: Labels, edges: Edges) -> Optional[float]:
    """Return the level at which the outlines of an image lie now.

    Returns
    -------
    float or None
        The median over all objects of the mean height of their edge between the pixels on both sides of the outline.
        None if no object has a clear edge, or if the outlines follow no edge (a level below 0 or above 1).
    """
    levels = levels_of_objects(labels, edges)
    return median_level(levels[np.isfinite(levels)])


def median_level(levels: npt.NDArray[np.float64]) -> Optional[float]:
    """Return the median of the levels of objects; None if there is none, or if it is below 0 or above 1."""
    level = float(np.median(levels)) if len(levels) else 0.0
    return level if 0 < level < 1 else None


def levels_of_objects(labels: Labels, edges: Edges) -> npt.NDArray[np.float64]:
    """Return the level at which each outline lies, by label; NaN for an object without a clear edge."""
    total, pairs = np.zeros(len(edges.clear)), np.zeros(len(edges.clear))
    outline = np.flatnonzero(edges.depth == 1)
    outline = outline[edges.clear[labels.ravel()[outline]]]
    owners = labels.ravel()[outline]
    for index, beside in _neighbors(outline, labels.shape, diagonal=False):
        outside = labels.ravel()[beside] == 0
        own, owner = index[outside], owners[index[outside]]
        heights = (_height(edges, outline[own], owner) + _height(edges, beside[outside], owner)) / 2
        total += np.bincount(owner, heights, len(total))
        pairs += np.bincount(owner, minlength=len(total))
    levels = np.full(len(total), np.nan)
    np.divide(total, pairs, out=levels, where=pairs > 0)
    return levels


def move_outlines(labels: Labels, edges: Edges, usable: Mask, level: float, pull: float = PULL) -> Labels:
    """Move the outlines of objects toward a level of their edges.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        1..n without gaps; not changed.
    edges : Edges
    usable : ndarray of shape (Y, X), bool, or None
    level : float
        0: the background of an object; 1: its inside; 0.5: half of the way.
    pull : float
        By how much an edge must be higher (or lower) than the level to move an outline by a tenth of the object's
        diameter.

    Returns
    -------
    ndarray of shape (Y, X), int32
        The same objects with the same numbers.

    Notes
    -----
    1. From the outline inward, pixels below the level are removed, as far as the object's core.
    2. From the outline outward, pixels above the level are added, as far as the band is wide. None comes from another
       object: where objects touch, they keep the line between them.
    3. Pieces that were cut off from the core are removed, and holes that arose are filled.
    4. An object whose contrast is not above the noise keeps its outline, and so does one that would fall apart.
    """
    free = labels == 0 if usable is None else (labels == 0) & usable
    moved = labels.copy()
    pull_per_px = 10 * pull / edges.diameter_px
    _peel(moved, edges, level, pull_per_px)
    _grow(moved, free, edges, level, pull_per_px)
    for number in _in_pieces_or_with_holes(moved):
        _in_one_piece(labels, moved, free, edges, number)
    return moved


def _neighbors(places: Places, shape: Tuple[int, ...], diagonal: bool) -> Iterator[Tuple[Places, Places]]:
    """Yield, for each direction, the pixels (their index in `places`) with a neighbor there, and these neighbors."""
    height, width = shape
    row, column = np.divmod(places, width)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if (down, right) == (0, 0) or (down and right and not diagonal):
                continue
            there = (row + down >= 0) & (row + down < height) & (column + right >= 0) & (column + right < width)
            index = np.flatnonzero(there)
            yield index, places[index] + down * width + right


def _peel(moved: Labels, edges: Edges, level: float, pull_per_px: npt.NDArray[np.float64]) -> None:
    """Remove, from the outline inward, what lies below the level; `moved` is changed."""
    flat, depth = moved.ravel(), edges.depth.ravel()
    rim = np.flatnonzero(edges.depth == 1)
    rim = rim[edges.clear[flat[rim]]]
    seen = np.zeros(flat.shape, bool)
    while len(rim):
        owners = flat[rim]
        needed = level - pull_per_px[owners] * (depth[rim] - 0.5)
        low = (depth[rim] <= edges.core_px[owners]) & (_height(edges, rim, owners) <= needed)
        removed = rim[low]
        flat[removed] = 0
        inward = [beside for _, beside in _neighbors(removed, moved.shape, diagonal=False)]
        rim = np.concatenate(inward)
        rim = rim[(flat[rim] > 0) & ~seen[rim]]
        rim = rim[edges.clear[flat[rim]]]
        seen[rim] = True


def _grow(
    moved: Labels, free: npt.NDArray[np.bool_], edges: Edges, level: float, pull_per_px: npt.NDArray[np.float64]
) -> None:
    """Add, from the outline outward, free pixels above the level; `moved` is changed."""
    flat, free = moved.ravel(), free.ravel()
    rim = np.flatnonzero(edges.depth == 1)
    rim = rim[edges.clear[flat[rim]]]  # what was removed is background, which has no edge
    for step in range(1, int(edges.band_px[1:].max()) + 1):
        owners = flat[rim]
        reaching = edges.band_px[owners] >= step
        rim, owners = rim[reaching], owners[reaching]
        added = []
        for index, beside in _neighbors(rim, moved.shape, diagonal=step % 2 == 0):
            owner = owners[index]
            high = free[beside] & (flat[beside] == 0)
            beside, owner = beside[high], owner[high]
            high = _height(edges, beside, owner) > level + pull_per_px[owner] * (step - 0.5)
            flat[beside[high]] = owner[high]
            added.append(beside[high])
        rim = np.concatenate(added)
        if not len(rim):
            break


def _in_pieces_or_with_holes(labels: Labels) -> List[int]:
    """Return the numbers of the objects that are not connected, or that surround background; there are few of them."""
    in_pieces = _in_pieces(labels)
    spaces, count = ndimage.label(labels == 0)
    enclosed = np.ones(count + 1, bool)
    for side in (spaces[0], spaces[-1], spaces[:, 0], spaces[:, -1]):
        enclosed[side] = False
    enclosed[0] = False
    inside = np.flatnonzero(look_up(enclosed, spaces))
    pairs: List[npt.NDArray[np.intp]] = []
    for index, beside in _neighbors(inside, labels.shape, diagonal=False):
        pairs.append(np.stack([spaces.ravel()[inside[index]], labels.ravel()[beside]], axis=1))
    around = np.unique(np.concatenate(pairs), axis=0)
    around = around[around[:, 1] > 0]
    alone = np.bincount(around[:, 0], minlength=len(enclosed))[around[:, 0]] == 1
    numbers = {*np.flatnonzero(in_pieces).tolist(), *around[alone, 1].tolist()}
    return sorted(numbers - {0})


def _in_pieces(labels: Labels) -> npt.NDArray[np.bool_]:
    """Return for each label whether its pixels are not connected."""
    parts, count = label(labels, connectivity=1, return_num=True)
    object_of = np.zeros(count + 1, np.int32)
    object_of[parts] = labels
    in_pieces: npt.NDArray[np.bool_] = np.bincount(object_of) > 1
    return in_pieces


def _in_one_piece(labels: Labels, moved: Labels, free: npt.NDArray[np.bool_], edges: Edges, number: int) -> None:
    """Keep the piece of an object with its core and fill the holes that it had not before; `moved` is changed."""
    window = edges.windows[number - 1]
    before, now = labels[window] == number, moved[window]
    own = now == number
    pieces, count = ndimage.label(own)
    if count > 1:
        core = np.unique(pieces[before & own & (edges.depth[window] > edges.core_px[number])])
        if len(core) != 1:  # the object would fall apart
            now[own], now[before] = 0, number
            return
        now[own & (pieces != core[0])] = 0
        own = pieces == core[0]
    holes = _holes(own)
    if holes.any():
        now[holes & ~_holes(before) & (before | (free[window] & (now == 0)))] = number


def _holes(own: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels (Y, X) that an object surrounds."""
    parts, count = ndimage.label(np.pad(~own, 1, constant_values=True))
    holes: npt.NDArray[np.bool_] = (parts > 1)[1:-1, 1:-1]  # the frame, which is scanned first, has 1
    return holes if count > 1 else np.zeros_like(own)
