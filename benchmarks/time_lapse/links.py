"""Which links between frames are right: an object to itself in the next frame, or a mother to its daughters."""

from typing import Dict, List, NamedTuple, Sequence, Set, Tuple

import numpy as np

# A link: the index of a frame, the track in it, and the track in the next frame.
Link = Tuple[int, int, int]


class FoundObject(NamedTuple):
    """An object of CellProfiler: its frame from 0 on, its number in it, its center, and the object it came from."""

    frame: int
    number: int
    y: float
    x: float
    parent_frame: int
    parent_number: int


class LinkScore(NamedTuple):
    """Counts of links.

    Attributes
    ----------
    true, right : int
        Links that are there, and those of them that were found.
    found : int
        Links between two objects that are nuclei, of which as many as `right` are right.
    true_divisions, right_divisions : int
        Links from a mother to a daughter.
    true_touching, right_touching : int
        Links to a nucleus that touches another one.
    true_at_edge, right_at_edge : int
        Links of a nucleus that touches the edge in one of the two frames.
    """

    true: int
    right: int
    found: int
    true_divisions: int
    right_divisions: int
    true_touching: int
    right_touching: int
    true_at_edge: int
    right_at_edge: int


def true_links(visible: Sequence[Set[int]], parents: Dict[int, int]) -> Set[Link]:
    """Return the links between nuclei that are visible in both frames."""
    links = set()
    for frame in range(len(visible) - 1):
        for track in visible[frame + 1]:
            before = track if track in visible[frame] else parents.get(track)
            if before in visible[frame]:
                links.add((frame, before, track))
    return links


def score_links(
    labels: np.ndarray, visible: Sequence[Set[int]], parents: Dict[int, int], objects: Sequence[FoundObject]
) -> LinkScore:
    """Compare found links with the true ones.

    Parameters
    ----------
    labels : ndarray of shape (T, Y, X), int32
        Tracks, in the pixels in which the objects were found.
    visible : sequence of set of int
        For each frame, the tracks that count.
    parents : dict of int to int
    objects : sequence of FoundObject

    Notes
    -----
    An object stands for the nucleus in which its center lies. Of several objects in one nucleus, the nearest to its
    center does.
    """
    stand_for = tracks_of(labels, objects)
    by_place = {(each.frame, each.number): each for each in objects}
    found: Set[Link] = set()
    for place, track in stand_for.items():
        each = by_place[place]
        before = stand_for.get((each.parent_frame, each.parent_number))
        if each.parent_frame == each.frame - 1 and before is not None:
            found.add((each.frame - 1, before, track))
    true = true_links(visible, parents)
    right = true & found
    touching, at_edge = zip(*(_touching_and_at_edge(frame) for frame in labels))
    kinds = [
        {link for link in true if link[1] != link[2]},
        {link for link in true if link[2] in touching[link[0] + 1]},
        {link for link in true if link[1] in at_edge[link[0]] or link[2] in at_edge[link[0] + 1]},
    ]
    counted = {link for link in found if link[1] in visible[link[0]] and link[2] in visible[link[0] + 1]}
    of_kinds = [count for kind in kinds for count in (len(kind), len(kind & right))]
    return LinkScore(len(true), len(right), len(counted), *of_kinds)


def pooled(scores: Sequence[LinkScore]) -> LinkScore:
    """Add up the counts of several time-lapses."""
    return LinkScore(*(sum(each) for each in zip(*scores)))


def tracks_of(labels: np.ndarray, objects: Sequence[FoundObject]) -> Dict[Tuple[int, int], int]:
    """Return the track that each object stands for, by its frame and number; see `score_links`."""
    nearest: Dict[Tuple[int, int], Tuple[float, int]] = {}
    for each in objects:
        row, column = (min(max(0, round(at)), size - 1) for at, size in zip((each.y, each.x), labels.shape[1:]))
        track = int(labels[each.frame, row, column])
        if not track:
            continue
        y, x = np.nonzero(labels[each.frame] == track)
        distance = float(np.hypot(y.mean() - each.y, x.mean() - each.x))
        if distance < nearest.get((each.frame, track), (np.inf, 0))[0]:
            nearest[each.frame, track] = distance, each.number
    return {(frame, number): track for (frame, track), (_, number) in nearest.items()}


def _touching_and_at_edge(labels: np.ndarray) -> Tuple[Set[int], Set[int]]:
    touching: List[np.ndarray] = []
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        meet = (one != other) & (one > 0) & (other > 0)
        touching += [one[meet], other[meet]]
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return {int(track) for track in np.unique(np.concatenate(touching))}, {int(track) for track in np.unique(edge)} - {
        0
    }
