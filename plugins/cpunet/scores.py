"""Scores: how well predicted objects agree with true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Labels = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]

IOU_THRESHOLDS = tuple(round(0.50 + 0.05 * step, 2) for step in range(10))
MEAN_F1_THRESHOLDS = IOU_THRESHOLDS[:9]
# The number of pixels in a label image of the truth that nobody judged.
IGNORED = -1
# An object counts as part of another if more than this share of its area lies in it.
SHARE_INSIDE = 0.5
# Pixels that are counted at once: 16 MiB as numbers of 8 bytes, whatever the size of an image or a volume.
COUNTED_AT_ONCE = 2**21


@dataclass(frozen=True)
class Overlap:
    """Areas of all objects and of all their intersections.

    Attributes
    ----------
    truth_area : ndarray of shape (T,), float64
    prediction_area : ndarray of shape (P,), float64
    intersection : ndarray of shape (T, P), float64
        Pixels.
    """

    truth_area: Floats
    prediction_area: Floats
    intersection: Floats

    @property
    def iou(self) -> Floats:
        """Intersection over union of each pair, shape (T, P)."""
        union = self.truth_area[:, np.newaxis] + self.prediction_area - self.intersection
        return self.intersection / union


def overlap(truth: Labels, prediction: Labels) -> Overlap:
    """Count the pixels that each true and each predicted object share.

    Parameters
    ----------
    truth, prediction : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background; labels may have gaps.

    Returns
    -------
    Overlap
        Objects in the order of their labels. Of a volume, areas are volumes, in voxels.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> overlap(np.array([[1, 1, 0, 5]]), np.array([[3, 3, 3, 0]])).intersection.tolist()
    [[2.0], [0.0]]
    """
    if truth.shape != prediction.shape:
        raise ValueError(
            f"The truth has the shape {truth.shape} and the prediction {prediction.shape}; they must agree."
        )
    truth_ids, prediction_ids = _numbers_in(truth), _numbers_in(prediction)
    shape = len(truth_ids), len(prediction_ids)
    counts = np.zeros(shape[0] * shape[1], np.intp)
    at_once = max(COUNTED_AT_ONCE, len(counts))  # no more parts than make up for going through all pairs
    places = _places_among(truth, truth_ids, at_once), _places_among(prediction, prediction_ids, at_once)
    for of_truth, of_prediction in zip(*places):
        counts += np.bincount(of_truth * shape[1] + of_prediction, minlength=len(counts))
    areas = counts.reshape(shape).astype(np.float64)
    rows, columns = truth_ids != 0, prediction_ids != 0
    return Overlap(areas.sum(axis=1)[rows], areas.sum(axis=0)[columns], areas[np.ix_(rows, columns)])


def _parts_of(labels: npt.NDArray[Any], at_once: Optional[int] = None) -> Iterator[npt.NDArray[Any]]:
    """Yield the pixels of a label image one after the other, `COUNTED_AT_ONCE` or another number at a time."""
    flat, at_once = labels.ravel(), at_once or COUNTED_AT_ONCE
    return (flat[first : first + at_once] for first in range(0, flat.size, at_once))


def _numbers_in(labels: Labels) -> npt.NDArray[np.integer]:
    """Return the labels that occur, in order."""
    highest = int(labels.max(initial=0))
    if labels.min(initial=0) < 0 or highest > labels.size:
        return np.unique(labels)
    found = np.zeros(highest + 1, bool)
    for part in _parts_of(labels):
        counts = np.bincount(part.astype(np.intp))  # in a tenth of the time of a sort
        found[: len(counts)] |= counts > 0
    return np.flatnonzero(found)


def _places_among(
    labels: Labels, numbers: npt.NDArray[np.integer], at_once: Optional[int] = None
) -> Iterator[npt.NDArray[np.intp]]:
    """Yield for the pixels, part by part, the place of each one's label among all `numbers` that occur."""
    if not len(numbers) or numbers[0] < 0 or numbers[-1] > labels.size:
        return (np.searchsorted(numbers, part) for part in _parts_of(labels, at_once))
    place_of = np.zeros(int(numbers[-1]) + 1, np.intp)
    place_of[numbers] = np.arange(len(numbers))
    return (place_of[part.astype(np.intp)] for part in _parts_of(labels, at_once))


def judged(truth: Labels, prediction: Labels) -> Tuple[Labels, Labels]:
    """Take away what lies in pixels that nobody judged, so that it counts neither way.

    Parameters
    ----------
    truth, prediction : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background; in the truth, `IGNORED` marks pixels that were not judged.

    Returns
    -------
    truth, prediction : ndarray of the same shape, integer
        With background in those pixels, and without the predicted objects that have more than half of their area
        there. The arrays themselves if all pixels were judged.

    Examples
    --------
    >>> import numpy as np
    >>> [each.tolist() for each in judged(np.array([[1, 1, -1, -1]]), np.array([[3, 3, 3, 4]]))]
    [[[1, 1, 0, 0]], [[3, 3, 0, 0]]]
    """
    ignored = truth < 0
    if not ignored.any():
        return truth, prediction
    numbers = _numbers_in(prediction)
    area, not_judged = (np.zeros(len(numbers), np.intp) for _ in range(2))
    for places, part in zip(_places_among(prediction, numbers), _parts_of(ignored)):
        area += np.bincount(places, minlength=len(numbers))
        not_judged += np.bincount(places[part], minlength=len(numbers))
    left_out = not_judged > SHARE_INSIDE * area
    unseen = np.concatenate([left_out[places] for places in _places_among(prediction, numbers)])
    unseen = unseen.reshape(prediction.shape) | ignored
    return np.where(ignored, 0, truth), np.where(unseen, 0, prediction)


def matched_iou(iou: Floats) -> Floats:
    """Pair true and predicted objects one to one, and return the IoU of the pairs.

    Parameters
    ----------
    iou : ndarray of shape (T, P), float64
        0..1.

    Returns
    -------
    ndarray of shape (pairs,), float64
        The positive values of the pairing with the largest total. Above an IoU of 0.5 the pairing is unique (Kirillov
        et al. 2019, doi:10.1109/CVPR.2019.00963).
    """
    rows, columns = linear_sum_assignment(-np.where(iou > 0.5, 1 + iou, iou))
    values = iou[rows, columns]
    positive: Floats = values[values > 0]
    return positive


@dataclass(frozen=True)
class ImageScores:
    """What one image adds to the scores of a set.

    Attributes
    ----------
    truth_count, prediction_count : int
        Objects.
    tp : tuple of int
        True positives at each of `IOU_THRESHOLDS`.
    iou_sum : float
        Sum of the IoU of the pairs above 0.5, for the panoptic quality.
    over_segmented : int
        True objects, unmatched at IoU 0.7, that hold more than half of each of at least two predicted objects.
    under_segmented : int
        True objects that share a predicted object with another: each has more than half of its area in a predicted
        object that is unmatched at IoU 0.7 and holds at least two such objects.
    pixels_both, pixels_truth, pixels_prediction : int
        Foreground pixels, for Dice and IoU.
    """

    truth_count: int
    prediction_count: int
    tp: Tuple[int, ...]
    iou_sum: float
    over_segmented: int
    under_segmented: int
    pixels_both: int
    pixels_truth: int
    pixels_prediction: int


class ObjectErrors(NamedTuple):
    """The errors of T true and P predicted objects, at IoU 0.7.

    Attributes
    ----------
    wrong_truth, wrong_prediction : ndarray of shape (T,) and (P,), bool
        Unmatched objects.
    inside_truth, inside_prediction : ndarray of shape (T, P), bool
        Whether more than half of the predicted object is inside the true one, and the other way round.
    over_segmented, under_segmented : ndarray of shape (T,), bool
        See `ImageScores`.
    """

    wrong_truth: npt.NDArray[np.bool_]
    wrong_prediction: npt.NDArray[np.bool_]
    inside_truth: npt.NDArray[np.bool_]
    inside_prediction: npt.NDArray[np.bool_]
    over_segmented: npt.NDArray[np.bool_]
    under_segmented: npt.NDArray[np.bool_]


def object_errors(shared: Overlap, iou: npt.NDArray[np.float64]) -> ObjectErrors:
    """Find the objects that are unmatched, split or merged, from their overlap and its `iou`."""
    agree = iou > 0.7
    wrong_truth, wrong_prediction = ~np.logical_or.reduce(agree, axis=1), ~np.logical_or.reduce(agree, axis=0)
    inside_truth = shared.intersection > SHARE_INSIDE * shared.prediction_area
    inside_prediction = shared.intersection > SHARE_INSIDE * shared.truth_area[:, np.newaxis]
    merging = wrong_prediction & (inside_prediction.sum(axis=0) > 1)
    return ObjectErrors(
        wrong_truth,
        wrong_prediction,
        inside_truth,
        inside_prediction,
        over_segmented=wrong_truth & (inside_truth.sum(axis=1) > 1),
        under_segmented=np.logical_or.reduce(inside_prediction[:, merging], axis=1),
    )


def score_image(truth: Labels, prediction: Labels) -> ImageScores:
    """Compare a label image with the truth.

    Parameters
    ----------
    truth, prediction : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background. Pixels are voxels in a volume. Where the truth is `IGNORED`, nothing counts: see `judged`.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.array([[1, 1, 1, 1, 0, 2, 2]])
    >>> prediction = np.array([[1, 1, 1, 0, 0, 0, 0]])
    >>> scores = score_image(truth, prediction)
    >>> scores.truth_count, scores.prediction_count, scores.tp[0], round(scores.iou_sum, 2)
    (2, 1, 1, 0.75)
    """
    if truth.shape == prediction.shape:
        truth, prediction = judged(truth, prediction)
    shared = overlap(truth, prediction)  # raises where the shapes differ
    iou = shared.iou
    matched = matched_iou(iou)
    errors = object_errors(shared, iou)
    return ImageScores(
        truth_count=len(shared.truth_area),
        prediction_count=len(shared.prediction_area),
        tp=tuple(int((matched > threshold).sum()) for threshold in IOU_THRESHOLDS),
        iou_sum=float(matched[matched > 0.5].sum()),
        over_segmented=int(errors.over_segmented.sum()),
        under_segmented=int(errors.under_segmented.sum()),
        pixels_both=int(((truth != 0) & (prediction != 0)).sum()),
        pixels_truth=int((truth != 0).sum()),
        pixels_prediction=int((prediction != 0).sum()),
    )


def ratio(numerator: float, denominator: float) -> float:
    """Divide; 0 / 0 is a perfect score, 1: nothing to find and nothing found."""
    return numerator / denominator if denominator else 1.0


@dataclass(frozen=True)
class SetScores:
    """Scores of a set of images, pooled over all their objects.

    Attributes
    ----------
    images, truth_count, prediction_count : int
    f1, average_precision : dict of float to float
        By IoU threshold. F1 = 2 TP / (2 TP + FP + FN), AP = TP / (TP + FP + FN).
    mean_f1 : float
        Over the thresholds 0.50 to 0.90 (Caicedo et al. 2019, doi:10.1002/cyto.a.23863).
    mean_average_precision : float
        Over 0.50 to 0.95 (Data Science Bowl 2018, doi:10.1038/s41592-019-0612-7).
    precision, recall : float
        At IoU 0.7.
    over_segmented, under_segmented : int
        See `ImageScores`.
    dice, iou : float
        Of the foreground's pixels.
    panoptic_quality : float
        Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963; matches above IoU 0.5.
    count_error : float
        Mean absolute difference of the counts an image, in objects.
    mean_f1_per_image, mean_average_precision_per_image : float
        The same scores image by image, then averaged.
    """

    images: int
    truth_count: int
    prediction_count: int
    f1: Dict[float, float]
    average_precision: Dict[float, float]
    mean_f1: float
    mean_average_precision: float
    precision: float
    recall: float
    over_segmented: int
    under_segmented: int
    dice: float
    iou: float
    panoptic_quality: float
    count_error: float
    mean_f1_per_image: float
    mean_average_precision_per_image: float


def pool_scores(images: Sequence[ImageScores]) -> SetScores:
    """Pool the scores of many images, at least one (else ValueError)."""
    if not images:
        raise ValueError("There are no images to score.")
    truth = sum(image.truth_count for image in images)
    prediction = sum(image.prediction_count for image in images)
    tp = np.sum([image.tp for image in images], axis=0)
    f1, average_precision = _by_threshold(tp, truth, prediction)
    single = [_by_threshold(np.array(image.tp), image.truth_count, image.prediction_count) for image in images]
    tp_at_070 = float(tp[IOU_THRESHOLDS.index(0.7)])
    both = sum(image.pixels_both for image in images)
    pixels = sum(image.pixels_truth + image.pixels_prediction for image in images)
    return SetScores(
        images=len(images),
        truth_count=truth,
        prediction_count=prediction,
        f1=f1,
        average_precision=average_precision,
        mean_f1=_mean_f1(f1),
        mean_average_precision=float(np.mean(list(average_precision.values()))),
        precision=ratio(tp_at_070, prediction),
        recall=ratio(tp_at_070, truth),
        over_segmented=sum(image.over_segmented for image in images),
        under_segmented=sum(image.under_segmented for image in images),
        dice=ratio(2 * both, pixels),
        iou=ratio(both, pixels - both),
        panoptic_quality=ratio(sum(image.iou_sum for image in images), (truth + prediction) / 2),
        count_error=float(np.mean([abs(image.truth_count - image.prediction_count) for image in images])),
        mean_f1_per_image=float(np.mean([_mean_f1(image_f1) for image_f1, _ in single])),
        mean_average_precision_per_image=float(np.mean([np.mean(list(ap.values())) for _, ap in single])),
    )


def _by_threshold(
    tp: npt.NDArray[np.integer], truth: int, prediction: int
) -> Tuple[Dict[float, float], Dict[float, float]]:
    f1 = {t: ratio(2.0 * n, truth + prediction) for t, n in zip(IOU_THRESHOLDS, tp.tolist())}
    ap = {t: ratio(float(n), truth + prediction - n) for t, n in zip(IOU_THRESHOLDS, tp.tolist())}
    return f1, ap


def _mean_f1(f1: Dict[float, float]) -> float:
    return float(np.mean([f1[threshold] for threshold in MEAN_F1_THRESHOLDS]))
