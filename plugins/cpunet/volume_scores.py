"""SEG, IoU and MUCov: the scores of volumes in the work on mouse embryos, BBBC050."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from cpunet.scores import SHARE_INSIDE, Labels, judged, overlap, ratio


@dataclass(frozen=True)
class VolumeScores:
    """How well the objects of one volume, or on average those of several, agree with the true ones.

    Attributes
    ----------
    seg : float
        0..1; the mean IoU of the true objects with the objects found for them. A missed object counts 0.
    iou : float
        0..1; of all voxels in objects, whichever object they belong to.
    mucov : float
        0..1, mean unweighted coverage; the mean IoU of the objects found with the true ones. A false object counts 0.
    truth_count, prediction_count : int
        Objects.
    """

    seg: float
    iou: float
    mucov: float
    truth_count: int
    prediction_count: int


def score_volume(truth: Labels, prediction: Labels) -> VolumeScores:
    """Score the objects of a volume as the authors of BBBC050 do.

    Parameters
    ----------
    truth, prediction : ndarray of shape (Z, Y, X), integer
        0 is background; labels may have gaps. Where the truth is `cpunet.scores.IGNORED`, nothing counts: see
        `cpunet.scores.judged`. Images of shape (Y, X) are scored alike.

    Returns
    -------
    VolumeScores
        Where there is nothing to find, SEG is 1; where nothing is found, MUCov is 1; and where neither is, IoU is 1.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    An object is found for a true one if it holds more than half of its voxels. At most one object can.

    - SEG: the mean over the true objects of the IoU with the object that is found for each, or 0 [1]_.
    - MUCov: the mean over the objects found of the highest IoU with a true object that they are found for, or 0.
      The equation of [2]_ has no condition; the program of its authors (`funalab/QCANet`,
      ``src/tools/evaluation_seg.py``) asks for more than half of the true object in both scores, and so does this.
    - IoU: of the two foregrounds.

    SEG falls with each object that is missed or merged, and MUCov with each that is split or false.

    References
    ----------
    .. [1] Maška et al. 2014, doi:10.1093/bioinformatics/btu080
    .. [2] Tokuoka et al. 2020, doi:10.1038/s41540-020-00152-8

    Examples
    --------
    >>> import numpy as np
    >>> truth, prediction = np.array([[[1, 1, 1, 1, 0, 2, 2]]]), np.array([[[1, 1, 1, 0, 0, 0, 0]]])
    >>> score_volume(truth, prediction)
    VolumeScores(seg=0.375, iou=0.5, mucov=0.75, truth_count=2, prediction_count=1)
    """
    if truth.shape == prediction.shape:
        truth, prediction = judged(truth, prediction)
    shared = overlap(truth, prediction)  # raises where the shapes differ
    found = shared.intersection > SHARE_INSIDE * shared.truth_area[:, np.newaxis]
    iou_of_found = np.where(found, shared.iou, 0.0)
    both = float(shared.intersection.sum())
    return VolumeScores(
        seg=ratio(float(iou_of_found.max(axis=1, initial=0).sum()), found.shape[0]),
        iou=ratio(both, float(shared.truth_area.sum() + shared.prediction_area.sum()) - both),
        mucov=ratio(float(iou_of_found.max(axis=0, initial=0).sum()), found.shape[1]),
        truth_count=found.shape[0],
        prediction_count=found.shape[1],
    )


def mean_of_volumes(volumes: Sequence[VolumeScores]) -> VolumeScores:
    """Average the scores of several volumes, at least one (else ValueError), and add up their objects.

    Each volume counts alike, as in the published table, whether it holds two nuclei or forty.
    """
    if not volumes:
        raise ValueError("There are no volumes to score.")
    return VolumeScores(
        seg=float(np.mean([each.seg for each in volumes])),
        iou=float(np.mean([each.iou for each in volumes])),
        mucov=float(np.mean([each.mucov for each in volumes])),
        truth_count=sum(each.truth_count for each in volumes),
        prediction_count=sum(each.prediction_count for each in volumes),
    )
