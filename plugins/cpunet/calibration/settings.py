"""What is calibrated: how probabilities become objects, and which diameters are not rescaled; and the values to try."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Tuple

from cpunet.model.card import INSTANCES, ModelCard, Postprocessing
from cpunet.steps.diameter import area_of_disc

# The shifts of half a pixel add or remove the pixels at the corners of outlines. A habit that differs by more than this
# is another kind of object, such as the cell around a nucleus.
SHIFTS_PX = (0.0, 1.0, -1.0, 1.5, -1.5, 2.0, -2.0, 2.5, -2.5, 3.0, -3.0, 3.5, -3.5, 4.0, -4.0, 5.0, -5.0)
# The levels that the module's setting takes.
LEVELS = (None, *(round(0.2 + 0.05 * step, 2) for step in range(9)))
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
# Below 0.25, a marker fills nearly all of its object, and clumps of a kind that was not trained on stay merged.
MARKER_THRESHOLDS = (0.25, 0.3, 0.4, 0.5, 0.6)
# A plain mask says nothing of borders, so that only a high threshold parts objects that touch.
MARKER_THRESHOLDS_OF_MASK = (*MARKER_THRESHOLDS, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
SCORE_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BOUNDARY_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
DILATIONS_PX = (0, 1, 2, 3, 4, 5)
# Areas, as shares of that of a disc of the trained diameter: what is smaller is texture, or noise.
# Markers larger than a twentieth gain next to nothing, and merge touching nuclei where they are small: at 0.08
# nuclei_fluorescence_1 merged 364 instead of 259 in images of half the size.
MARKER_SHARES = (0, 0.01, 0.02, 0.03, 0.05)
OBJECT_SHARES = (0, 0.02, 0.04, 0.06, 0.1, 0.15)
# An image is always brought to the trained diameter if only diameters within this factor of it are left as they are.
# The diameter that is measured on the rescaled image differs by some percent, and would be corrected again and again.
ALWAYS_RESCALED = 1.1

# These move outlines too, so each value is tried with the shifts beside the present one: a threshold that draws better
# outlines half a pixel further inside would otherwise lose to one that draws worse ones at the right place.
MOVE_OUTLINES = ("foreground_threshold", "mask_threshold", "boundary_threshold", "dilation_px", "outline_level")
SHIFTS_BESIDE = 2

Candidates = Dict[str, Tuple[Any, ...]]


@dataclass(frozen=True)
class Settings:
    """The part of a model's card that is calibrated.

    Attributes
    ----------
    postprocessing : Postprocessing
    diameter_range_px : tuple of float
        Smallest and largest diameter of objects in an image that is not rescaled.
    """

    postprocessing: Postprocessing
    diameter_range_px: Tuple[float, float]


def settings_of(card: ModelCard) -> Settings:
    """Return the settings of a card."""
    return Settings(card.postprocessing, (card.input.diameter_low_px, card.input.diameter_high_px))


def card_with(card: ModelCard, settings: Settings) -> ModelCard:
    """Return a card with other settings."""
    low, high = settings.diameter_range_px
    given = replace(card.input, diameter_low_px=low, diameter_high_px=high)
    return replace(card, input=given, postprocessing=settings.postprocessing)


def candidates(card: ModelCard) -> Candidates:
    """Return the values to try for each setting, in the order of the search.

    Outlines come first, because the scores by which all others are judged need outlines that agree.
    """
    diameter_px = card.input.diameter_px
    markers, objects = smallest_sizes(diameter_px)
    first: Candidates = {
        "outline_shift_px": SHIFTS_PX,
        "diameter_range_px": ((round(diameter_px / ALWAYS_RESCALED, 1), round(diameter_px * ALWAYS_RESCALED, 1)),),
    }
    if card.output.kind == INSTANCES:
        least = card.postprocessing.score_threshold  # the network gives no object of a lower score
        return {
            **first,
            "mask_threshold": THRESHOLDS,
            "outline_level": LEVELS,
            "score_threshold": tuple(each for each in SCORE_THRESHOLDS if each >= least),
            "min_size_px": objects,
        }
    if set(card.output.roles) == {"boundary"}:
        return {
            **first,
            "boundary_threshold": BOUNDARY_THRESHOLDS,
            "dilation_px": DILATIONS_PX,
            "min_size_px": objects,
            "outline_level": LEVELS,
        }
    alone = set(card.output.roles) == {"foreground"}
    return {
        **first,
        "foreground_threshold": THRESHOLDS,
        "outline_level": LEVELS,
        "marker_threshold": MARKER_THRESHOLDS_OF_MASK if alone else MARKER_THRESHOLDS,
        "marker_min_size_px": markers,
        "min_size_px": objects,
    }


def smallest_sizes(diameter_px: float) -> Tuple[Tuple[float, ...], Tuple[float, ...]]:
    """Return the areas to try for the smallest marker and the smallest object, in pixels, by the trained diameter."""
    area = area_of_disc(diameter_px)
    markers, objects = (
        tuple(float(round(share * area)) for share in shares) for shares in (MARKER_SHARES, OBJECT_SHARES)
    )
    return markers, objects


def value_of(settings: Settings, name: str) -> Any:
    """Return the value of a setting by its name in `candidates`."""
    return settings.diameter_range_px if name == "diameter_range_px" else getattr(settings.postprocessing, name)


def with_value(settings: Settings, name: str, value: Any) -> Settings:
    """Return settings with one of them changed."""
    if name == "diameter_range_px":
        return replace(settings, diameter_range_px=value)
    return replace(settings, postprocessing=replace(settings.postprocessing, **{name: value}))


def alternatives(settings: Settings, name: str, values: Tuple[Any, ...]) -> List[Settings]:
    """Return the settings with each other value of one of them; where it moves outlines, with several shifts each."""
    own = value_of(settings, name)
    others = [with_value(settings, name, value) for value in values if value != own]
    if name not in MOVE_OUTLINES:
        return others
    return [with_value(other, "outline_shift_px", shift) for other in others for shift in shifts_beside(settings)]


def shifts_beside(settings: Settings) -> List[float]:
    """Return the shift of settings and those beside it among the shifts that are tried, the present one first."""
    present = settings.postprocessing.outline_shift_px
    ordered = sorted({*SHIFTS_PX, present})
    place = ordered.index(present)
    near = ordered[max(0, place - SHIFTS_BESIDE) : place + SHIFTS_BESIDE + 1]
    return [present, *(shift for shift in near if shift != present)]
