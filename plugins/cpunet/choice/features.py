"""Measure candidates: the shape of each object, how sure its model is of it, and what the other models see there."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.spatial import ConvexHull
from skimage.measure import regionprops_table

from cpunet.scores import SHARE_INSIDE
from cpunet.steps.confidence import boundary_confidence, foreground_confidence
from cpunet.steps.runs import runs_of

Labels = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

OF_SHAPE = (
    "area_px",
    "area_over_typical",
    "perimeter_px",
    "eccentricity",
    "major_axis_px",
    "minor_axis_px",
    "convex_area_px",
    "solidity",
    "extent",
    "form_factor",
    "touches_frame",
)
OF_MODEL = ("model", "confidence", "edge_confidence")


class FoundByModel(NamedTuple):
    """The objects that one model found in an image.

    Attributes
    ----------
    labels : ndarray of shape (Y, X), int32
        0 is background, objects are 1..n without gaps.
    foreground : ndarray of shape (Y, X), float32
        Probability that a pixel lies in an object, 0..1.
    confidence : ndarray of shape (n,), float, or None
        0..1, the model's own of each object; None: its mean foreground probability.
    """

    labels: Labels
    foreground: npt.NDArray[np.float32]
    confidence: Optional[npt.NDArray[np.floating]] = None


def feature_names(models: int) -> Tuple[str, ...]:
    """Name the features of a candidate among so many models, in order.

    >>> feature_names(2)[-4:]
    ('iou_with_1', 'objects_inside_1', 'iou_with_2', 'objects_inside_2')
    """
    of_others = [f"{what}_{number}" for number in range(1, models + 1) for what in ("iou_with", "objects_inside")]
    return (*OF_MODEL, *OF_SHAPE, *of_others)


def features_of_candidates(found: Sequence[FoundByModel]) -> npt.NDArray[np.float32]:
    """Measure all objects that several models found in one image.

    Parameters
    ----------
    found : sequence of FoundByModel
        One a model, in the order of the models; labels of one shape.

    Returns
    -------
    ndarray of shape (n, F), float32
        A row for each object, those of the first model first, each in the order of its labels; a column for each of
        `feature_names`. All finite:

        - ``model``: the number of the model, from 0 on.
        - ``confidence``: the model's own. ``edge_confidence``: how sharply its probability falls at the outline; see
          `cpunet.steps.confidence`.
        - Areas and lengths in pixels; ``area_over_typical`` is relative to the median of all candidates of the image.
          The axes are those of the ellipse with the same second moments. ``extent`` is the part of the bounding box
          that is covered; ``form_factor`` 4 pi area / perimeter^2; ``touches_frame`` 1 or 0.
        - ``iou_with_k``: the largest IoU with an object of model k; 1 for the model itself.
        - ``objects_inside_k``: how many objects of model k have more than half of their area inside; 1 for the model
          itself. More than one says that the candidate may be several objects, merged.

    Notes
    -----
    The hull is that of the pixels' corners, in continuous coordinates, since the releases of scikit-image differ in
    which pixels they count as inside a hull. All else is the same from scikit-image 0.18 to 0.26.
    """
    names = feature_names(len(found))
    shapes = [_shapes(each.labels) for each in found]
    counts = [len(each) for each in shapes]
    table = np.zeros((sum(counts), len(names)), np.float64)
    if not len(table):
        return table.astype(np.float32)
    of_shape = len(OF_MODEL) + len(OF_SHAPE)
    table[:, len(OF_MODEL) : of_shape] = np.concatenate(shapes)
    area, typical = names.index("area_px"), names.index("area_over_typical")
    table[:, typical] = table[:, area] / np.median(table[:, area])
    begin = 0
    for number, (each, count) in enumerate(zip(found, counts)):
        rows = table[begin : begin + count]
        rows[:, 0] = number
        rows[:, 1] = _confidence(each)
        rows[:, 2] = boundary_confidence(each.labels, each.foreground)
        for other, beside in enumerate(found):
            at = of_shape + 2 * other
            rows[:, at : at + 2] = 1.0 if other == number else agreement(each.labels, beside.labels, count)
        begin += count
    return table.astype(np.float32)


def shared_pixels(one: Labels, other: Labels, count: Optional[int] = None) -> csr_matrix:
    """Count the pixels that the objects of two label images (Y, X) of numbers 1..n share, a sparse (n, m) matrix.

    `count` is n, where the last objects of the first image may have no pixel.
    """
    both = (one > 0) & (other > 0)
    shape = int(one.max(initial=0)) if count is None else count, int(other.max(initial=0))
    counted = coo_matrix((np.ones(np.count_nonzero(both)), (one[both] - 1, other[both] - 1)), shape=shape)
    return counted.tocsr()  # adds up the pixels of each pair


def areas_of(labels: Labels, count: int = 0) -> Floats:
    """Return the areas of the objects 1..n of a label image, pixels; of at least `count` numbers."""
    return np.bincount(labels.reshape(-1), minlength=count + 1)[1:].astype(np.float64)


def _confidence(found: FoundByModel) -> Floats:
    if found.confidence is not None:
        return np.asarray(found.confidence, np.float64)
    return foreground_confidence(found.labels, found.foreground)


def agreement(labels: Labels, others: Labels, count: int) -> Floats:
    """Return how well objects agree with those of another label image of the same field.

    Parameters
    ----------
    labels, others : ndarray of shape (Y, X), int32
        0 is background; numbers from 1 on, which may have gaps.
    count : int
        The largest number in `labels`, or more.

    Returns
    -------
    ndarray of shape (count, 2), float64
        The largest IoU with any other object, 0..1, and how many of these have more than half of their area inside.
    """
    shared = shared_pixels(labels, others, count).tocoo()
    own, other = areas_of(labels, count), areas_of(others)
    agrees = np.zeros((count, 2))
    np.maximum.at(agrees[:, 0], shared.row, shared.data / (own[shared.row] + other[shared.col] - shared.data))
    inside = shared.data > SHARE_INSIDE * other[shared.col]
    agrees[:, 1] = np.bincount(shared.row[inside], minlength=count)
    return agrees


def _shapes(labels: Labels) -> Floats:
    """Return the features of shape, (n, len(OF_SHAPE)); the area over the typical one is left 0."""
    if not labels.any():
        return np.zeros((0, len(OF_SHAPE)))
    measured = regionprops_table(
        labels, properties=("area", "perimeter", "eccentricity", "extent", "bbox", "inertia_tensor_eigvals")
    )
    area, perimeter = (np.asarray(measured[name], np.float64) for name in ("area", "perimeter"))
    axes = [4 * np.sqrt(np.maximum(measured[f"inertia_tensor_eigvals-{place}"], 0)) for place in (0, 1)]
    convex = convex_areas(labels)
    # A line of pixels has a perimeter that is shorter than that of its pixels.
    form_factor = np.minimum(4 * np.pi * area / np.maximum(perimeter, 1) ** 2, 2.0)
    height, width = labels.shape
    frame = (measured["bbox-0"] == 0) | (measured["bbox-1"] == 0)
    frame |= (measured["bbox-2"] == height) | (measured["bbox-3"] == width)
    columns: List[npt.NDArray[np.floating]] = [area, np.zeros(len(area)), perimeter, measured["eccentricity"], *axes]
    columns += [convex, area / convex, measured["extent"], form_factor, frame]
    return np.stack(columns, axis=1).astype(np.float64)


def convex_areas(labels: Labels) -> Floats:
    """Return the area of the convex hull of each object 1..n of a label image (Y, X), pixels.

    >>> convex_areas(np.array([[1, 0, 2], [1, 1, 0]], np.int32)).round(3).tolist()
    [3.5, 1.0]
    """
    runs = runs_of(labels)
    order = np.argsort(runs.number, kind="stable")
    number, row, left = runs.number[order], runs.first[order] // labels.shape[1], runs.first[order] % labels.shape[1]
    right = left + runs.length[order]
    corners = np.stack(
        [np.stack([row + below, side], axis=1) for below in (0, 1) for side in (left, right)], axis=1
    ).astype(np.float64)
    begins = np.flatnonzero(np.diff(number, prepend=0))
    parts = np.split(corners, begins[1:]) if len(begins) else []
    return np.array([ConvexHull(part.reshape(-1, 2)).volume for part in parts])
