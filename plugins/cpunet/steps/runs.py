"""Labels as runs: stretches of one label along a row, of which there are some twenty times fewer than pixels."""

from __future__ import annotations

from typing import Any, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Places = npt.NDArray[np.intp]
# So many pixels at a time stay within a processor's cache.
PIXELS_AT_A_TIME = 2**18


class Runs(NamedTuple):
    """Stretches of pixels of one label along a row of an image, in the order of their pixels.

    Attributes
    ----------
    first : ndarray of shape (n,), intp
        The place of each run's first pixel in the flat image.
    length : ndarray of shape (n,), intp
        Pixels.
    number : ndarray of shape (n,), int
        The label; never 0.
    """

    first: Places
    length: Places
    number: npt.NDArray[Any]


def runs_of(labels: npt.NDArray[Any]) -> Runs:
    """Return the runs of the labels, or of the True pixels of a mask, of shape (..., Y, X); 0 is background.

    Examples
    --------
    >>> runs_of(np.array([[0, 4, 4], [4, 0, 5]]))
    Runs(first=array([1, 3, 5]), length=array([2, 1, 1]), number=array([4, 4, 5]))
    """
    flat, width = labels.reshape(-1), max(1, labels.shape[-1])
    flat = flat.view(np.uint8) if flat.dtype == bool else flat  # compared in an eighth of the time
    step = width * max(1, PIXELS_AT_A_TIME // width)
    found: List[Tuple[Places, Places, npt.NDArray[Any]]] = []
    for begin in range(0, max(1, flat.size), step):
        part = flat[begin : begin + step]
        begins = np.ones(len(part), bool)
        np.not_equal(part[1:], part[:-1], out=begins[1:])
        begins[::width] = True
        first = np.flatnonzero(begins)
        length = np.diff(first, append=len(part))
        number = part[first]
        inside = number != 0
        found.append((first[inside] + begin, length[inside], number[inside]))
    return Runs(*(np.concatenate(each) for each in zip(*found)))


def runs_at(runs: Runs, distance: int) -> Tuple[Places, Places]:
    """Find the runs with pixels at a distance from each other in the flat image.

    Parameters
    ----------
    runs : Runs
    distance : int
        The width of the image for pixels one above the other; of a plane for those of neighboring planes.

    Returns
    -------
    before, after : ndarray of int
        The indices of each pair of runs.
    """
    after = np.searchsorted(runs.first + runs.length, runs.first + distance, side="right")
    count = np.searchsorted(runs.first, runs.first + runs.length + distance, side="left") - after
    return np.repeat(np.arange(len(count)), count), stretches(after, count)


def connected(mask: npt.NDArray[np.bool_]) -> Runs:
    """Return the runs of a mask (Y, X) with the numbers of their connected regions, from 1 on, as they come row by row.

    Pixels are connected by their sides, as in `scipy.ndimage.label`, whose numbers these are.
    """
    runs = runs_of(mask)
    pairs, count = runs_at(runs, mask.shape[1]), len(runs.first)
    graph = coo_matrix((np.ones(len(pairs[0]), np.int8), pairs), shape=(count, count))
    return runs._replace(number=connected_components(graph, directed=False)[1] + np.int32(1))


def painted(runs: Runs, shape: Tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Return the label image of this shape, int32, of which these are the runs."""
    labels = np.zeros(shape, np.int32)
    for places, part in pixels_of_runs(runs):
        labels.reshape(-1)[places] = np.repeat(part.number, part.length)
    return labels


def pixels_of_runs(runs: Runs) -> Iterator[Tuple[Places, Runs]]:
    """Yield the places of the pixels of all runs in the flat image, and their runs, part by part.

    A place takes eight bytes: for all pixels of a slide, gigabytes.
    """
    part_of_run = np.cumsum(runs.length) // PIXELS_AT_A_TIME
    cuts = [*np.flatnonzero(np.diff(part_of_run, prepend=-1)), len(part_of_run)]
    for begin, end in zip(cuts[:-1], cuts[1:]):
        part = chosen_runs(runs, slice(begin, end))
        yield stretches(part.first, part.length), part


def stretches(first: Places, length: Places) -> Places:
    """Return the numbers from each of `first` on, as many as `length` says, one stretch after the other.

    >>> stretches(np.array([5, 9]), np.array([3, 1])).tolist()
    [5, 6, 7, 9]
    """
    first, length = first[length > 0], length[length > 0]
    places = np.ones(int(length.sum()), np.intp)
    begins = np.cumsum(length) - length
    places[begins] = first
    places[begins[1:]] -= first[:-1] + length[:-1] - 1
    return np.cumsum(places, out=places)


def areas_of_runs(runs: Runs) -> Places:
    """Count the pixels of each number, from 0 to the highest; none have 0."""
    return np.bincount(runs.number, weights=runs.length, minlength=1).astype(np.intp)


def chosen_runs(runs: Runs, chosen: Any) -> Runs:
    """Return the runs that `chosen`, a mask, indices or a slice, picks."""
    return Runs(*(each[chosen] for each in runs))


def numbered_anew(runs: Runs, kept: npt.NDArray[np.bool_]) -> Runs:
    """Return the runs whose entry in `kept`, by number, is True, numbered 1..n in their order."""
    left = chosen_runs(runs, kept[runs.number])
    return left._replace(number=np.cumsum(kept[1:]).astype(np.int32)[left.number - 1])


def joined(parts: Sequence[Runs]) -> Runs:
    """Return all runs of several parts of one image, in order."""
    runs = Runs(*(np.concatenate(each) for each in zip(*parts)))
    return chosen_runs(runs, np.argsort(runs.first, kind="stable"))
