"""Counts by objects and by area, and where the two disagree."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from cpunet.errors import DataError
from cpunet.steps.confidence import LEAST_APART, ObjectAreas

# Larger disagreements are flagged: a share of the larger count. Of a handful of objects, one more or less is no sign.
BOUND, LEAST_DIFFERENCE = 0.25, 2.0


class ImageCount(NamedTuple):
    """How many objects an image holds.

    Attributes
    ----------
    objects : int
        Those that were found.
    area_px : int
        The area that they cover, pixels.
    from_area : float
        That area divided by the area of the typical object.
    disagreement : float
        0..1: the difference of the two counts, as a share of the larger; 0 without objects.
    flag : str
        Why the image should be looked at; empty if the counts agree.
    """

    objects: int
    area_px: int
    from_area: float
    disagreement: float
    flag: str


def typical_area(images: Sequence[ObjectAreas]) -> float:
    """Return the median area of the objects of all images that lie apart.

    Parameters
    ----------
    images : sequence of ObjectAreas
        The whole set. Objects that touch another object or the image's frame are left out, since they may be two, or a
        part of one.

    Returns
    -------
    float
        Pixels.

    Raises
    ------
    DataError
        If fewer than 5 objects of the whole set lie apart.

    Notes
    -----
    If more than half of the objects that lie apart are clumps that were not split, the median is that of a clump.
    """
    apart = np.concatenate([np.zeros(0), *(image.apart for image in images)])
    if len(apart) < LEAST_APART:
        objects = sum(len(image.areas) for image in images)
        raise DataError(
            f"the area of a typical object is not known: of {objects} objects, {len(apart)} lie apart from others and "
            f"from the image's frame, and {LEAST_APART} are needed. Give it with --typical-area, in pixels."
        )
    return float(np.median(apart))


def counted(image: ObjectAreas, typical_px: float, bound: float = BOUND) -> ImageCount:
    """Count the objects of an image in both ways.

    Parameters
    ----------
    image : ObjectAreas
    typical_px : float
        Area of the typical object, pixels, above 0; from `typical_area`.
    bound : float
        0..1; a larger disagreement is flagged if it is also more than 2 objects.

    Examples
    --------
    >>> areas = np.array([100, 100, 100, 400, 400])
    >>> counted(ObjectAreas(areas, areas[:3], 5, False), 100.0).flag[:40]
    'the area holds 2.2 times as many objects'
    """
    objects, area = len(image.areas), int(image.areas.sum())
    from_area = area / typical_px
    difference, larger = abs(objects - from_area), max(objects, from_area)
    disagreement = difference / larger if larger else 0.0
    flag = ""
    if disagreement > bound and difference > LEAST_DIFFERENCE:
        times = larger / max(1e-9, min(objects, from_area))
        flag = (
            f"the area holds {times:.1f} times as many objects as were found: clumps that were not split, or larger "
            "objects than usual"
            if from_area > objects
            else f"{times:.1f} times as many objects were found as the area holds: pieces of objects, debris, objects "
            "that the image cuts, or smaller ones than usual"
        )
    return ImageCount(objects, area, from_area, disagreement, flag)
