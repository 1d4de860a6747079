"""Turn probabilities into labels, as the model's card and the options say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Optional

import numpy as np
import numpy.typing as npt

from cpunet.model.card import ModelCard, Postprocessing
from cpunet.options import Options
from cpunet.steps.declump import BY_PROBABILITY, declump
from cpunet.steps.diameter import area_of_disc, typical_diameter
from cpunet.steps.seeds import Declumping

# With these options, touching objects are separated and filled by the model's card alone.
BY_CARD: Dict[str, Any] = {
    "declump_method": "probability",
    "smoothing_px": None,
    "min_distance_px": None,
    "fill_holes": None,
}


def decodes_by_card(options: Options) -> bool:
    """Return True if the options leave separating and filling to the model's card."""
    return all(getattr(options, name) == value for name, value in BY_CARD.items())


def decode(
    probabilities: npt.NDArray[np.float32],
    channels: Optional[npt.NDArray[np.float32]],
    usable: Optional[npt.NDArray[np.bool_]],
    card: ModelCard,
    options: Options,
    scale: float,
) -> npt.NDArray[np.int32]:
    """Turn probabilities into labels.

    Parameters
    ----------
    probabilities : ndarray of shape (roles, Y, X), float32
        0..1, on the image's own grid.
    channels : ndarray of shape (C, Y, X), float32, or None
        The prepared image, for those that `cpunet.steps.declump.needs_image` names; the others need none.
    usable : ndarray of shape (Y, X), bool, or None
        No object has a pixel outside.
    card : ModelCard
    options : Options
    scale : float
        By how much the image was enlarged for the network.

    Returns
    -------
    ndarray of shape (Y, X), int32
        0 is background, objects are 1..n without gaps.

    Notes
    -----
    1. The card's settings are brought to the image's own grid, and the options replace some of them.
    2. If a length depends on the objects' diameter and the options give none, the objects are separated as the model
       says and measured.
    3. `declump` makes the labels.
    """
    roles = card.output.roles
    settings = settings_of(card.postprocessing, options, scale)
    diameter_px = options.diameter_px or 0.0
    if not diameter_px and depends_on_diameter(options):
        found = declump(probabilities, roles, settings, BY_PROBABILITY, usable, channels)
        diameter_px = typical_diameter(found) if found.any() else card.input.diameter_px / scale
    how = declumping_of(options, diameter_px, area_of_disc(diameter_px))
    return declump(probabilities, roles, settings, how, usable, channels)


def settings_of(card: Postprocessing, options: Options, scale: float, planes: float = 1.0) -> Postprocessing:
    """Return the card's settings for the image's own grid, some of which the options replace.

    `scale` and `planes` say by how much the image's sides, and the planes of a volume, were multiplied.
    """
    settings = postprocessing_at_scale(card, scale, planes)
    if options.foreground_threshold:
        settings = replace(settings, foreground_threshold=options.foreground_threshold)
    if options.fill_holes is not None:
        settings = replace(settings, fill_holes=options.fill_holes != "never")
    return settings


def postprocessing_at_scale(settings: Postprocessing, scale: float, planes: float = 1.0) -> Postprocessing:
    """Convert settings for an image enlarged by `scale`, and by `planes` in Z, into settings for the image itself."""
    return replace(
        settings,
        marker_min_size_px=settings.marker_min_size_px / (scale**2 * planes),
        min_size_px=settings.min_size_px / (scale**2 * planes),
        dilation_px=settings.dilation_px / scale,
    )


def _is_classical(options: Options) -> bool:
    return options.declump_method in ("shape", "intensity")


def depends_on_diameter(options: Options) -> bool:
    """Return True if a length that the options leave open follows from the objects' diameter."""
    automatic = options.smoothing_px is None or options.min_distance_px is None
    return (_is_classical(options) and automatic) or options.fill_holes == "after thresholding"


def declumping_of(options: Options, diameter_px: float, typical_size_px: float) -> Declumping:
    """Replace each length that the options leave open by a number; holes of up to the typical size are filled.

    IdentifyPrimaryObjects smooths by 2.35 / 3.5 of the smallest diameter and keeps peaks 1 / 1.5 of it apart. The
    smallest diameter is about half of the typical one, so both lengths are a third of the typical diameter here.
    """
    third = diameter_px / 3 if _is_classical(options) else 0.0
    return Declumping(
        options.declump_method,
        smoothing_px=third if options.smoothing_px is None else options.smoothing_px,
        min_distance_px=third if options.min_distance_px is None else options.min_distance_px,
        fill_before_px=typical_size_px if options.fill_holes == "after thresholding" else 0,
    )
