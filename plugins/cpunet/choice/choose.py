"""Keep the best of the candidates that overlap, and draw them into one label image."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csr_matrix

from cpunet.choice.features import Labels, areas_of, shared_pixels


class Chosen(NamedTuple):
    """The objects that were chosen.

    Attributes
    ----------
    labels : ndarray of shape (Y, X), int32
        0 is background, objects are 1..n without gaps.
    predicted_iou : ndarray of shape (n,), float32
        0..1, in the order of the labels.
    model : ndarray of shape (n,), intp
        The number of the model that found each object, from 0 on.
    """

    labels: Labels
    predicted_iou: npt.NDArray[np.float32]
    model: npt.NDArray[np.intp]


def choose_candidates(
    labels: Sequence[Labels], predicted_iou: npt.NDArray[np.float32], least_predicted_iou: float, most_shared: float
) -> Chosen:
    """Choose among the objects of several label images of one field.

    Parameters
    ----------
    labels : sequence of ndarray of shape (Y, X), int32
        One a model; objects 1..n without gaps.
    predicted_iou : ndarray of shape (n,), float32
        0..1, of all objects, those of the first label image first.
    least_predicted_iou, most_shared : float
        See `cpunet.choice.card.ChooserCard`.

    Returns
    -------
    Chosen

    Notes
    -----
    1. Candidates below the least predicted IoU are dropped.
    2. The others are taken in the order of their predicted IoU, the best first; of equals, that of the earlier model,
       and of one model that with the lower number. One that shares too much with one that was kept is dropped
       (non-maximum suppression). What they share is measured against the smaller of the two, so that neither a merged
       object beside its parts is kept nor a part beside the whole.
    3. Pixels that several kept objects claim belong to the best of them. Where that cuts an object into pieces, the
       largest is kept.

    Examples
    --------
    >>> whole = np.array([[1, 1, 1, 1, 0]], np.int32)
    >>> parts = np.array([[1, 1, 2, 2, 0]], np.int32)
    >>> choose_candidates([whole, parts], np.array([0.6, 0.9, 0.8], np.float32), 0.3, 0.5).labels.tolist()
    [[1, 1, 2, 2, 0]]
    """
    counts = [int(each.max(initial=0)) for each in labels]
    begins = np.concatenate([[0], np.cumsum(counts)])
    model = np.repeat(np.arange(len(counts)), counts)
    kept = np.array(_kept(labels, begins, predicted_iou, least_predicted_iou, most_shared), np.intp)
    windows = [ndimage.find_objects(each) for each in labels]
    drawn = np.zeros(labels[0].shape, np.int32)
    for number in range(len(kept), 0, -1):  # the best is drawn last
        candidate = kept[number - 1]
        own, place = model[candidate], candidate - begins[model[candidate]]
        window = windows[own][place]
        drawn[window][labels[own][window] == place + 1] = number
    _keep_largest_pieces(drawn)
    left = np.unique(drawn[drawn > 0])
    numbered = np.zeros(len(kept) + 1, np.int32)
    numbered[left] = np.arange(1, len(left) + 1)
    kept = kept[left - 1]
    return Chosen(numbered[drawn], predicted_iou[kept].astype(np.float32), model[kept])


def _kept(
    labels: Sequence[Labels],
    begins: npt.NDArray[np.intp],
    predicted: npt.NDArray[np.float32],
    least: float,
    most: float,
) -> List[int]:
    """Return the numbers of the candidates that are kept, the best first."""
    area = np.concatenate([areas_of(each) for each in labels])
    shared = [[shared_pixels(one, other) for other in labels] for one in labels]
    dropped = predicted < least
    kept = []
    for candidate in np.argsort(-predicted, kind="stable"):
        if dropped[candidate]:
            continue
        kept.append(int(candidate))
        own = int(np.searchsorted(begins, candidate, side="right")) - 1
        for other, counted in enumerate(shared[own]):
            if other != own:
                places, pixels = _row(counted, candidate - begins[own])
                others = begins[other] + places
                dropped[others[pixels > most * np.minimum(area[candidate], area[others])]] = True
    return kept


def _row(counted: csr_matrix, row: int) -> Tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the columns and values of one row of a sparse matrix."""
    span = slice(counted.indptr[row], counted.indptr[row + 1])
    return counted.indices[span].astype(np.intp), counted.data[span]


def _keep_largest_pieces(drawn: Labels) -> None:
    """Remove all but the largest piece of each object from a label image (Y, X), in place."""
    for number, window in enumerate(ndimage.find_objects(drawn), 1):
        if window is None:
            continue
        own = drawn[window] == number
        pieces, count = ndimage.label(own)
        if count > 1:
            largest = 1 + int(np.argmax(np.bincount(pieces.reshape(-1))[1:]))
            drawn[window][own & (pieces != largest)] = 0
