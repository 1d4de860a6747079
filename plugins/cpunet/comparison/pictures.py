"""Pictures of the fields that differ most: the image, and the objects of both modules."""

from __future__ import annotations

from typing import Dict, List, NamedTuple

import numpy as np

from cpunet.comparison.compared_fields import ComparedField, Comparison
from cpunet.comparison.records import read_record
from cpunet.outcomes import outcomes
from cpunet.report.html_page import photo_uri
from cpunet.report.overlays import STYLES, outcome_picture, plain_picture, worst_window

# What the colors mean where neither side is the truth, by the fate that they have in an evaluation.
MEANINGS = {
    "kept": "the same in both",
    "wrong_size": "found by both, with different outlines",
    "merged": "one object here, several in the other panel",
    "cut": "several objects here, one in the other panel",
    "invented": "found only here",
    "missed": "found only in the other panel",
}
LEGEND = tuple(style._replace(meaning=MEANINGS[style.fate]) for style in STYLES)


class FieldPictures(NamedTuple):
    """One field in pictures, as data URIs; `part` says which part of it is shown, if not all."""

    field: ComparedField
    plain: str
    primary: str
    unet: str
    part: str


def most_differing(comparison: Comparison, most: int) -> List[FieldPictures]:
    """Draw the fields that differ most, at most so many."""
    areas = comparison.areas
    diameter = float(2 * np.sqrt(np.median(areas) / np.pi)) if areas.size else 0.0
    return [_pictures(each, diameter) for each in comparison.fields[:most]]


def anchors(shown: List[FieldPictures], prefix: str) -> Dict[str, str]:
    """Return a name for the place of each field's pictures on the page, by the field's name."""
    return {each.field.name: f"{prefix}-{number}" for number, each in enumerate(shown, start=1)}


def _pictures(field: ComparedField, diameter_px: float) -> FieldPictures:
    """Draw the part of a field in which most pixels differ; small objects are enlarged by their typical diameter."""
    image, primary, unet = read_record(field.record)
    of_primary, of_unet = outcomes(unet, primary), outcomes(primary, unet)
    window = worst_window(of_unet.wrong | of_primary.wrong, diameter_px)
    part = window.rows.stop - window.rows.start, window.columns.stop - window.columns.start
    return FieldPictures(
        field,
        photo_uri(plain_picture(image, window)),
        photo_uri(outcome_picture(image, window, of_primary)),
        photo_uri(outcome_picture(image, window, of_unet)),
        "" if part == image.shape else f"{part[0]} x {part[1]} of {image.shape[0]} x {image.shape[1]} pixels",
    )
