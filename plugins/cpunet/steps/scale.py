"""Choose the scale at which the network sees an image: segment it, measure the objects, and repeat if needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import OptionError
from cpunet.model.card import InputCard, ModelCard
from cpunet.model.protocol import Model
from cpunet.options import LARGEST_SCALE, SMALLEST_SCALE, Options, sees_once
from cpunet.segmentation import Segmentation
from cpunet.steps.declump import foreground_probability, probabilities_by_role
from cpunet.steps.decode import BY_CARD
from cpunet.steps.diameter import typical_diameter
from cpunet.steps.filters import relabel
from cpunet.steps.look import look, objects_of
from cpunet.steps.windows import WINDOW_PX, Window, cut, middle_of, windows_to_measure

# Passes after the first. Two were enough for every size tested; the third is a reserve. Objects eight times too large
# are found as pieces in the first pass and measured correctly in the next.
MOST_PASSES = 3
# Objects that are less certain are pieces of something too large for the network: real objects, of 6 to 150 pixels,
# reach 0.6 to 0.97, and pieces of nuclei of 200 pixels and more 0.3 to 0.55.
LEAST_CERTAINTY = 0.55
# The first look at a large image is at a square of this side, a quarter of a window. It decides if it holds so many
# objects, so certain, and of a typical diameter so far within the model's range.
FIRST_LOOK_PX, CLEARLY_ENOUGH, CLEARLY_CERTAIN, CLEARLY_WITHIN = 512, 20, 0.7, 1.15
# So many objects say what is typical. One or two may be dust.
ENOUGH_OBJECTS, MOST_WINDOWS = 10, 4


def choose_scale(
    channels: npt.NDArray[np.float32], usable: Optional[npt.NDArray[np.bool_]], model: Model, options: Options
) -> Tuple[float, Optional[Segmentation], Tuple[str, ...]]:
    """Choose by how much an image is enlarged for the network.

    Parameters
    ----------
    channels : ndarray of shape (C, Y, X), float32
        From `cpunet.steps.prepare.prepare`.
    usable : ndarray of shape (Y, X), bool, or None
    model : Model
    options : Options

    Returns
    -------
    scale : float
        The options' scale, or the one for their diameter, or else the one that `measure_scale` finds.
    seen : Segmentation or None
        What the last pass of the measurement found, if it need not be repeated: it saw the whole image, and the
        options ask for no augmentation. Decoded as the card says.
    notes : tuple of str
        What a user should know if the scale could not be judged.

    Notes
    -----
    A large image is not seen at two scales. A small part of it is seen first, which mostly suffices: see
    `is_clearly_known`. Otherwise it is measured in one window of it, which must hold objects: see
    `_window_with_objects`.
    """
    scale = scale_of_options(model.card.input, options)
    if scale is not None:
        return scale, None, ()
    if channels[0].size <= 2 * WINDOW_PX**2:
        found = measure_scale(channels, usable, model, options)
        whole: Optional[Segmentation] = found
    else:
        windows = windows_to_measure(channels[0], usable)
        if is_clearly_known(*cut(channels, usable, middle_of(windows[0], FIRST_LOOK_PX)), model, options):
            return 1.0, None, ()
        window, first, whole = _window_with_objects(windows, channels, usable, model, options)
        found = measure_scale(*cut(channels, usable, window), model, options, first)
    reusable = whole is not None and whole.scale == found.scale and sees_once(options)
    return found.scale, whole if reusable else None, judgment(found, model.card)


def scale_of_options(card: InputCard, options: Options) -> Optional[float]:
    """Return the scale that the options give, directly or by a diameter; None if it must be measured.

    OptionError if the diameter asks for a scale that is out of range.
    """
    if options.scale is None and options.diameter_px is not None:
        diameter_px = options.diameter_px
        least, most = diameters_to_rescale_by(card)
        if not least <= diameter_px <= most:
            raise OptionError(
                f"The typical diameter is {diameter_px:g} pixels, and images can be rescaled for this model if it is "
                f"{least:.3g} to {most:.3g} pixels. Correct it, leave it out so that it is measured, or choose another "
                "model."
            )
        return scale_factor(card, diameter_px)
    return options.scale


def diameters_to_rescale_by(card: InputCard) -> Tuple[float, float]:
    """Return the smallest and the largest typical diameter, in pixels, for which an image can be shown to a model.

    Images with objects of the card's range are not rescaled; others by `SMALLEST_SCALE` to `LARGEST_SCALE`.
    """
    least, most = card.diameter_px / LARGEST_SCALE, card.diameter_px / SMALLEST_SCALE
    return min(least, card.diameter_low_px), max(most, card.diameter_high_px)


def measure_scale(
    channels: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    model: Model,
    options: Options,
    first: Optional[Segmentation] = None,
    z_step_px: float = 1.0,
) -> Segmentation:
    """Measure the objects of an image with the model itself, until it sees them at a size that it knows.

    Parameters
    ----------
    channels : ndarray of shape (C, Y, X), or (C, Z, Y, X) for a model of volumes, float32
    usable : ndarray of the same shape without channels, bool, or None
    model : Model
    options : Options
        Touching objects are always separated as the card says, because a clump is no object to be measured; and no
        pass is augmented.
    first : Segmentation, optional
        The first pass, if it was made already.
    z_step_px : float
        Distance between two planes of a volume, in widths of a pixel.

    Returns
    -------
    Segmentation
        The pass at the scale that was chosen.

    Notes
    -----
    1. The image is segmented at its own scale.
    2. The objects' diameter gives the next scale; see `next_scale`.
    3. The image is segmented at that scale, which confirms the diameter or corrects it once more.
    4. The search ends when the scale stays the same, after `MOST_PASSES` further passes, or when a pass finds nothing
       or is no better than the one before; that one is then kept.
    """
    options = for_measuring(options)
    found = first or segment_at(channels, usable, model, options, 1.0)
    for _ in range(MOST_PASSES):
        scale = next_scale(found, model.card, z_step_px)
        if scale == found.scale:
            break
        later = segment_at(channels, usable, model, options, scale)
        if not later.labels.any() or not replaces(later, found, model.card.output.roles):
            break
        found = later
    return found


def first_pass_with_objects(
    parts: Iterable[Tuple[npt.NDArray[np.float32], Optional[npt.NDArray[np.bool_]]]], model: Model, options: Options
) -> Tuple[int, Segmentation]:
    """Segment parts of an image, channels and usable pixels, until one holds enough objects to be measured.

    Returns
    -------
    index : int
        Of the first part with `ENOUGH_OBJECTS`; else of the one with most.
    found : Segmentation
        That part, at its own scale.
    """
    best: Optional[Tuple[int, Segmentation]] = None
    for index, (channels, usable) in enumerate(parts):
        found = segment_at(channels, usable, model, for_measuring(options), 1.0)
        if best is None or found.labels.max(initial=0) > best[1].labels.max(initial=0):
            best = index, found
        if found.labels.max(initial=0) >= ENOUGH_OBJECTS:
            break
    assert best is not None
    return best


def is_clearly_known(
    channels: npt.NDArray[np.float32], usable: Optional[npt.NDArray[np.bool_]], model: Model, options: Options
) -> bool:
    """Say whether a part of an image tells that the image need not be rescaled.

    It does if it holds many objects, certain ones, whose diameter is well within the model's range. All bounds are
    stricter than those of `measure_scale`, which would say the same of a larger part.
    """
    found = segment_at(channels, usable, model, for_measuring(options), 1.0)
    if found.labels.max(initial=0) < CLEARLY_ENOUGH or certainty(found, model.card.output.roles) < CLEARLY_CERTAIN:
        return False
    low, high = model.card.input.diameter_low_px, model.card.input.diameter_high_px
    return low * CLEARLY_WITHIN <= typical_diameter(found.labels) <= high / CLEARLY_WITHIN


def _window_with_objects(
    windows: List[Window],
    channels: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    model: Model,
    options: Options,
) -> Tuple[Window, Segmentation, Optional[Segmentation]]:
    """Find a window of a large image that holds objects to be measured.

    Returns
    -------
    window : tuple of two slices
    first : Segmentation
        The window at its own scale.
    whole : Segmentation or None
        The whole image at its own scale, if it had to be seen.

    Notes
    -----
    1. `windows`, of `windows_to_measure`, are seen in their order, until one holds `ENOUGH_OBJECTS`.
    2. If none of the first `MOST_WINDOWS` does, the whole image is seen, and the window with most objects is chosen.
    """
    parts = [cut(channels, usable, window) for window in windows[:MOST_WINDOWS]]
    index, found = first_pass_with_objects(parts, model, options)
    if found.labels.max(initial=0) >= ENOUGH_OBJECTS:
        return windows[index], found, None
    whole = segment_at(channels, usable, model, for_measuring(options), 1.0)
    window = max(windows, key=lambda each: len(np.unique(whole.labels[each])))
    labels = relabel(whole.labels[window])
    return window, Segmentation(labels, whole.probabilities[(slice(None), *window)], 1.0), whole


def for_measuring(options: Options) -> Options:
    """Return options that separate objects by the card, and show the network one view of the image."""
    return replace(options, **BY_CARD, augmentation="none", view_scales=(1.0,), crop_px=None)


def judgment(found: Segmentation, card: ModelCard, z_step_px: float = 1.0) -> Tuple[str, ...]:
    """Return what a user should know if the objects of the last pass say nothing of the scale; empty if they do.

    The planes of a volume lie `z_step_px` apart.
    """
    known = f"{card.input.diameter_low_px:g} to {card.input.diameter_high_px:g} pixels"
    if not found.labels.any():
        return (
            "No object was found, so no size could be measured, and the image was not rescaled: the model saw it as "
            f"for objects of {known}. If there are objects of another size, give their typical diameter.",
        )
    diameter_px, sure = typical_diameter(found.labels, z_step_px), certainty(found, card.output.roles)
    if sure < LEAST_CERTAINTY or _scale_after(found.scale, diameter_px, sure, card.input) != found.scale:
        return (
            f"The size of the objects could not be measured with certainty (about {diameter_px:.0f} pixels; the model "
            f"knows {known}), so the scale of {found.scale:.3g} is a guess. Look at the outlines, and give the typical "
            "diameter if they are wrong.",
        )
    return ()


def segment_at(
    channels: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    model: Model,
    options: Options,
    scale: float,
) -> Segmentation:
    """Find the objects of a prepared image, or of a part of it, at a scale."""
    seen = look(channels, usable, model, options, scale)
    return objects_of(seen, channels.shape[1:], channels, usable, model.card, options, scale)


def scale_factor(card: InputCard, diameter_px: float) -> float:
    """Return by how much an image is enlarged so that the model knows the size of its objects.

    Parameters
    ----------
    card : InputCard
    diameter_px : float
        Typical diameter of the objects.

    Returns
    -------
    float
        1 if the diameter lies in the card's range, because an image that is not resampled keeps its detail. Otherwise
        the factor that brings it to the trained diameter.
    """
    if card.diameter_low_px <= diameter_px <= card.diameter_high_px:
        return 1.0
    return float(np.clip(card.diameter_px / diameter_px, SMALLEST_SCALE, LARGEST_SCALE))


def certainty(found: Segmentation, roles: Sequence[str]) -> float:
    """Return how far the foreground's probability is from one half inside the objects: 0 (undecided) to 1.

    There must be at least one object. A model of boundaries alone has no such probability and counts as certain.
    """
    if set(roles) == {"boundary"}:
        return 1.0
    inside = foreground_probability(probabilities_by_role(found.probabilities, roles))[found.labels > 0]
    return float(np.abs(2 * inside - 1).mean())


def next_scale(found: Segmentation, card: ModelCard, z_step_px: float = 1.0) -> float:
    """Return the scale for the next pass; the planes of a volume lie `z_step_px` apart.

    1. If there is nothing to measure, it is that of `found`.
    2. If the objects are too uncertain to be whole, it is half of that.
    3. If the model knows objects of their typical diameter at that scale, it is that.
    4. Otherwise it is `scale_factor` of the typical diameter.
    """
    if not found.labels.any():
        return found.scale
    diameter_px = typical_diameter(found.labels, z_step_px)
    return _scale_after(found.scale, diameter_px, certainty(found, card.output.roles), card.input)


def _scale_after(scale: float, diameter_px: float, certainty_of_objects: float, card: InputCard) -> float:
    if certainty_of_objects < LEAST_CERTAINTY:
        return max(SMALLEST_SCALE, scale / 2)
    if card.diameter_low_px <= diameter_px * scale <= card.diameter_high_px:
        return scale
    return scale_factor(card, diameter_px)


def replaces(later: Segmentation, earlier: Segmentation, roles: Sequence[str]) -> bool:
    """Return True if the rescaled prediction should replace the earlier one; both have at least one object.

    It should if the earlier one was certain of its objects, so that their size counts, or if the later one is more
    certain. A barely trained model meets neither condition.
    """
    before = certainty(earlier, roles)
    return before >= LEAST_CERTAINTY or certainty(later, roles) > before
