"""Tell which objects of overlapping tiles are the same one: the tile that sees it whole counts."""

from __future__ import annotations

from typing import Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cpunet.errors import ModelError

Boxes = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]
# A box that comes as close to the edge of its tile, in pixels, is cut off there.
AT_EDGE_PX = 1.0
# So much of a cut-off box within a better one makes it a piece of that object.
LEAST_WITHIN = 0.5
# Two cut-off boxes with this IoU, where both tiles see, are two pieces of an object that no tile sees whole.
LEAST_SHARED = 0.5
# Pairs that are compared at once take about 200 MB.
PAIRS_AT_ONCE = 2**20
# Of a network that suppresses what it finds twice, a box is the same as one or two in each tile that sees it.
MOST_SAME_FOR_EACH = 64


class _Pairs(NamedTuple):
    """Boxes of different tiles, the better one first, by their places."""

    better: Places
    worse: Places


def objects_across_seams(
    boxes: Boxes,
    scores: npt.NDArray[np.float32],
    tiles: Places,
    windows: Sequence[Tuple[int, int, int, int]],
    shape: Tuple[int, ...],
    overlap_threshold: float,
) -> npt.NDArray[np.int32]:
    """Give the objects of an image that was seen in overlapping tiles their numbers.

    Parameters
    ----------
    boxes : ndarray of shape (n, 4), float32
        Of all tiles, in pixels of the image: top, left, bottom, right.
    scores : ndarray of shape (n,), float32
        0..1.
    tiles : ndarray of shape (n,), int
        Which tile saw each.
    windows : sequence of (top, left, bottom, right)
        What each tile covers.
    shape : tuple of int
        Height and width of the image.
    overlap_threshold : float
        0..1, an IoU.

    Returns
    -------
    ndarray of shape (n,), int32
        1 and more for boxes that are kept, in the order in which objects come row by row; 0 for those that are dropped.
        Pieces of one object have the same number.

    Notes
    -----
    1. A box is cut off if it touches an edge of its tile beyond which the image goes on. Whole boxes are better than
       those; otherwise the one with the higher score is better.
    2. Non-maximum suppression: from the best box on, each that is kept drops the boxes of other tiles that have a
       higher IoU with it than the threshold, and the cut-off ones of which half lies in it.
    3. Two pieces of an object that is longer than tiles overlap are joined, where they agree in what both tiles see.

    Within a tile, the network itself has suppressed what is found twice.

    Raises
    ------
    ModelError
        If the boxes of neighboring tiles are the same so often that the network has not done so.
    """
    if not len(boxes):
        return np.zeros(0, np.int32)
    edges = np.array(windows, np.float32)[tiles]
    sides = np.array([*shape, *shape], np.float32)
    cut = ((boxes - edges)[:, :2] <= AT_EDGE_PX) & (edges[:, :2] > 0)
    cut |= ((edges - boxes)[:, 2:] <= AT_EDGE_PX) & (edges[:, 2:] < sides[2:])
    is_cut = np.asarray(cut.any(axis=1))
    rank = np.empty(len(boxes), np.intp)
    rank[np.lexsort((boxes[:, 1], boxes[:, 0], -scores, is_cut))] = np.arange(len(boxes))
    same, pieces = _same_and_pieces(boxes, rank, is_cut, tiles, windows, overlap_threshold)
    kept = np.ones(len(boxes), bool)
    for place in np.argsort(rank[same.better], kind="stable"):
        if kept[same.better[place]]:
            kept[same.worse[place]] = False
    both = kept[pieces.better] & kept[pieces.worse]
    graph = coo_matrix(
        (np.ones(int(both.sum()), np.int8), (pieces.better[both], pieces.worse[both])), shape=(len(boxes), len(boxes))
    )
    group = connected_components(graph, directed=False)[1]
    return _numbered(boxes, group, kept)


def _numbered(boxes: Boxes, group: Places, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Give the groups of boxes that are kept their numbers, by the middles of their first boxes, row by row."""
    middles = boxes[:, :2] + boxes[:, 2:]
    order = np.lexsort((middles[:, 1], middles[:, 0]))
    order = order[kept[order]]
    _, first = np.unique(group[order], return_index=True)
    numbers = np.zeros(int(group.max()) + 1, np.int32)
    numbers[group[order[np.sort(first)]]] = np.arange(1, len(first) + 1)
    return np.where(kept, numbers[group], 0).astype(np.int32)


def _same_and_pieces(
    boxes: Boxes,
    rank: Places,
    is_cut: npt.NDArray[np.bool_],
    tiles: Places,
    windows: Sequence[Tuple[int, int, int, int]],
    overlap_threshold: float,
) -> Tuple[_Pairs, _Pairs]:
    """Return the pairs of which the better drops the worse, and the pairs that are pieces of one object."""
    same: List[Places] = []
    pieces: List[Places] = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    count, most = 0, MOST_SAME_FOR_EACH * len(boxes)
    for first, second, shared_window in _few_at_once(_neighbors(boxes, tiles, windows)):
        one, other = np.meshgrid(first, second, indexing="ij")
        swapped = rank[one] > rank[other]
        better, worse = np.where(swapped, other, one), np.where(swapped, one, other)
        shared = _shared_area(boxes[better], boxes[worse])
        drops = shared > overlap_threshold * (areas[better] + areas[worse] - shared)
        drops |= is_cut[worse] & (shared > LEAST_WITHIN * areas[worse])
        of_first, of_second = (_area_within(boxes[those], shared_window) for those in (first, second))
        joins = ~drops & is_cut[better] & is_cut[worse]
        joins &= shared > LEAST_SHARED * (of_first[:, np.newaxis] + of_second - shared)
        same.append(np.stack([better[drops], worse[drops]]))
        pieces.append(np.stack([better[joins], worse[joins]]))
        count += same[-1].shape[1] + pieces[-1].shape[1]
        if count > most:
            raise ModelError(
                f"The model gives the same objects again and again: of {len(boxes)} objects of all tiles, more than "
                f"{most} pairs are the same. Its non-maximum suppression is missing, or its weights are damaged. "
                "Export the model again, or use another."
            )
    empty = np.zeros((2, 0), np.intp)
    return _Pairs(*np.concatenate([empty, *same], axis=1)), _Pairs(*np.concatenate([empty, *pieces], axis=1))


def _neighbors(
    boxes: Boxes, tiles: Places, windows: Sequence[Tuple[int, int, int, int]]
) -> Iterator[Tuple[Places, Places, Tuple[int, ...]]]:
    """Yield, for each two tiles that overlap, their boxes that reach into what both see, and what that is."""
    order = np.argsort(tiles, kind="stable")
    begin = np.searchsorted(tiles[order], np.arange(len(windows) + 1))
    edges = np.array(windows)
    for tile in range(len(windows)):
        later = edges[tile + 1 :]
        meets = (later[:, :2] < edges[tile, 2:]).all(axis=1) & (later[:, 2:] > edges[tile, :2]).all(axis=1)
        for other in tile + 1 + np.flatnonzero(meets):
            top_left = np.maximum(edges[tile, :2], edges[other, :2])
            bottom_right = np.minimum(edges[tile, 2:], edges[other, 2:])
            of_both = []
            for each in (tile, other):
                own = order[begin[each] : begin[each + 1]]
                reaches = (boxes[own, :2] < bottom_right).all(axis=1) & (boxes[own, 2:] > top_left).all(axis=1)
                of_both.append(own[reaches])
            if len(of_both[0]) and len(of_both[1]):
                yield of_both[0], of_both[1], (*top_left, *bottom_right)


def _few_at_once(
    neighbors: Iterator[Tuple[Places, Places, Tuple[int, ...]]],
) -> Iterator[Tuple[Places, Places, Tuple[int, ...]]]:
    """Yield what `_neighbors` yields in parts of so few pairs that they fit in the memory."""
    for first, second, shared_window in neighbors:
        step = max(1, PAIRS_AT_ONCE // len(second))
        for begin in range(0, len(first), step):
            yield first[begin : begin + step], second, shared_window


def _area_within(boxes: Boxes, window: Tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return the area of each box (n, 4) within a window: top, left, bottom, right."""
    limits = np.array(window, np.float32)
    within = np.clip(boxes, np.tile(limits[:2], 2), np.tile(limits[2:], 2))
    area: npt.NDArray[np.float32] = (within[:, 2] - within[:, 0]) * (within[:, 3] - within[:, 1])
    return area


def _shared_area(one: Boxes, other: Boxes) -> npt.NDArray[np.float32]:
    """Return the area that two boxes (..., 4) share."""
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    area: npt.NDArray[np.float32] = np.clip(sides, 0, None).prod(axis=-1)
    return area
