"""Which objects are found and which are missed: facts of each true object, and recall by what they have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import regionprops_table

RECALL_THRESHOLDS = (0.5, 0.7)
AREA_BINS = 5


@dataclass(frozen=True)
class TrueObjects:
    """Facts of the true objects of one image, in the order of their numbers.

    Attributes
    ----------
    area_px : ndarray of shape (T,), int64
        Pixels.
    eccentricity : ndarray of shape (T,), float64
        Of the ellipse with the same second moments: 0 is a circle, toward 1 a line.
    clump_size : ndarray of shape (T,), int64
        True objects in the clump of touching objects that this one belongs to, itself included.
    """

    area_px: NDArray[np.int64]
    eccentricity: NDArray[np.float64]
    clump_size: NDArray[np.int64]


@dataclass(frozen=True)
class Binning:
    """How true objects are sorted by one of their facts.

    Attributes
    ----------
    fact : str
        A field of `TrueObjects`.
    starts : tuple of float
        Bin i holds the values from ``starts[i]`` on and below ``starts[i + 1]``.
    names : tuple of str
        Explanation of the bins for the report.
    """

    fact: str
    starts: tuple[float, ...]
    names: tuple[str, ...]


# Up to 0.5 a shape looks round: its long axis is at most 1.15 times its short one; from 0.85 on 1.9 times or more.
ECCENTRICITY = Binning(
    "eccentricity", (0, 0.5, 0.7, 0.85), ("0 to 0.5 (round)", "0.5 to 0.7", "0.7 to 0.85 (oval)", "0.85 to 1 (long)")
)
CLUMP_SIZE = Binning("clump_size", (1, 2, 3, 5), ("1 (alone)", "2", "3 or 4", "5 or more"))


@dataclass(frozen=True)
class BinRecall:
    """How many of the true objects of one bin were found.

    Attributes
    ----------
    name : str
        Of the bin.
    objects : int
        True objects in it, 1 or more.
    recall : dict of float to float
        By IoU threshold, 0..1.
    """

    name: str
    objects: int
    recall: dict[float, float]


def true_objects(truth: NDArray[np.integer]) -> TrueObjects:
    """Measure the true objects of an image (Y, X), whose numbers may have gaps."""
    facts = regionprops_table(truth, properties=("area", "eccentricity"))
    return TrueObjects(
        area_px=np.asarray(facts["area"]).astype(np.int64),
        eccentricity=np.asarray(facts["eccentricity"], np.float64),
        clump_size=clump_sizes(truth),
    )


def clump_sizes(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count, for each object, the objects of the clump that it belongs to.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background.

    Returns
    -------
    ndarray of shape (T,), int64
        In the order of the objects' numbers; 1 for an object that touches none.

    Notes
    -----
    Two objects touch if a pixel of one is among the 8 neighbors of a pixel of the other; a clump is all that
    hang together by touching.
    """
    ids, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape)
    neighbors = (
        (index[:, :-1], index[:, 1:]),
        (index[:-1], index[1:]),
        (index[:-1, :-1], index[1:, 1:]),
        (index[:-1, 1:], index[1:, :-1]),
    )
    pairs = np.concatenate([np.stack([a.ravel(), b.ravel()]) for a, b in neighbors], axis=1)
    is_object = ids != 0
    pairs = pairs[:, is_object[pairs].all(axis=0)]
    touches = coo_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), shape=(len(ids), len(ids)))
    _, clump = connected_components(touches, directed=False)
    # The background, which touches nothing here, is a clump of its own.
    return np.bincount(clump)[clump][is_object].astype(np.int64)


def area_binning(area_px: NDArray[np.int64]) -> Binning:
    """Cut areas into at most `AREA_BINS` bins with about the same number of objects each.

    There are fewer bins if many objects have the same area, and none without objects.
    """
    if not len(area_px):
        return Binning("area_px", (), ())
    shares = np.arange(1, AREA_BINS + 1) / AREA_BINS
    # Each bin's largest area, itself the area of an object, so that no bin is empty.
    ends = np.unique(np.quantile(area_px, shares, method="inverted_cdf")).astype(int).tolist()
    starts = [int(area_px.min()), *(end + 1 for end in ends[:-1])]
    names = [f"{start} to {end} px" for start, end in zip(starts, ends, strict=True)]
    return Binning("area_px", tuple(starts), tuple(names))


def recall_by_bin(values: NDArray[np.number], best_iou: NDArray[np.float64], binning: Binning) -> list[BinRecall]:
    """Count the found among the true objects of each bin.

    Parameters
    ----------
    values : ndarray of shape (T,)
        The fact of each true object that `binning` sorts by.
    best_iou : ndarray of shape (T,), float64
        Of each true object, the highest IoU with any predicted one, 0..1.
    binning : Binning

    Returns
    -------
    list of BinRecall
        In the bins' order, without those that hold no object. An object is found at a threshold if its IoU
        with a predicted object is above it: at 0.5 and more that can be only one.
    """
    bin_of_object = np.digitize(values, binning.starts) - 1
    recalls = []
    for number, name in enumerate(binning.names):
        inside = best_iou[bin_of_object == number]
        if len(inside):
            recall = {threshold: float((inside > threshold).mean()) for threshold in RECALL_THRESHOLDS}
            recalls.append(BinRecall(name, len(inside), recall))
    return recalls
