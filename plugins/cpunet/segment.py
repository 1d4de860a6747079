"""The whole path from an image to labels, on one screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, Optional, Protocol, Tuple

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from cpunet.model.card import ModelCard, Postprocessing
from cpunet.options import Options, check_options
from cpunet.steps.declump import AS_THE_MODEL_SAYS, declump
from cpunet.steps.filters import area_of_disc
from cpunet.steps.normalize import normalize
from cpunet.steps.prepare import COLORS, has_contrast, prepare_image, usable_pixels
from cpunet.steps.scale import (
    MOST_PASSES,
    Segmentation,
    explains,
    next_scale,
    scale_factor,
    typical_diameter,
    window_to_measure,
)
from cpunet.steps.seeds import Declumping
from cpunet.steps.tiling import predict_tiled
from cpunet.steps.views import predict_augmented

__all__ = [
    "COLORS",
    "Model",
    "Options",
    "check_options",
    "prepare_image",
    "rescale",
    "resize_planes",
    "segment_image",
    "usable_pixels",
]

# Options that leave it to the model, and its card, to tell objects apart and to fill them.
AS_THE_CARD_SAYS: Dict[str, Any] = {
    "declump_method": "probability",
    "smoothing_px": None,
    "min_distance_px": None,
    "fill_holes": None,
}


class Model(Protocol):
    """What `segment_image` needs of a model; `cpunet.model.session.OnnxModel` is one."""

    @property
    def card(self) -> ModelCard:
        """What the model says of itself."""

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, roles, Y, X)."""


def segment_image(image: npt.NDArray[Any], model: Model, options: Optional[Options] = None) -> Segmentation:
    """Find the objects in an image.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
        Not changed. NaN and infinite pixels count as masked out.
    model : Model
        Such as `cpunet.model.session.load_model` gives.
    options : Options, optional

    Returns
    -------
    Segmentation
        Labels and probabilities on the image's own grid. An image without contrast, or without a
        single finite number, gives no object, since an error would end a batch of good images too.

    Raises
    ------
    ValueError
        If the image's shape or type does not fit the model, or an option cannot be.
    """
    options = options or Options()
    check_options(options)
    card = model.card
    channels, usable = prepare_image(image, card.input.channels, options.mask)
    if not has_contrast(channels, usable):
        return Segmentation(
            np.zeros(image.shape[:2], np.int32), np.zeros((len(card.output.roles), *image.shape[:2]), np.float32), 1.0
        )
    normalized = normalize(channels, card.input.normalization, usable)
    if options.scale is not None:
        scale = options.scale
    elif options.diameter_px is not None:
        scale = scale_factor(card.input, options.diameter_px)
    else:
        window = window_to_measure(normalized[0])
        part, part_usable = normalized[(slice(None), *window)], None if usable is None else usable[window]
        seen = find_scale(part, part_usable, model, options)
        if seen.labels.shape == normalized.shape[1:] and options.augmentation == "none":
            if all(getattr(options, name) == value for name, value in AS_THE_CARD_SAYS.items()):
                return seen
            return decode(seen.probabilities, normalized, usable, card, options, seen.scale)
        scale = seen.scale
    return segment_at_scale(normalized, usable, model, options, scale)


def find_scale(
    normalized: npt.NDArray[np.float32], usable: Optional[npt.NDArray[np.bool_]], model: Model, options: Options
) -> Segmentation:
    """Look at an image as it is, and again enlarged or shrunk until its objects have a size that the model knows.

    Parameters
    ----------
    normalized : ndarray of shape (C, Y, X), float32
    usable : ndarray of shape (Y, X), bool, or None
    model : Model
    options : Options
        Touching objects are always split, as the model says: a clump is no object to be measured. One look at a
        scale is enough, whatever the augmentation.

    Returns
    -------
    Segmentation
        The last look; an earlier one if a later one finds nothing, or is no better.

    Notes
    -----
    The objects' diameter is measured on the model's own result, which is right over a wide range of sizes; a look
    at the right scale then confirms it, or corrects it once more.
    """
    options = replace(options, **AS_THE_CARD_SAYS, augmentation="none")
    found = segment_at_scale(normalized, usable, model, options, 1.0)
    for _ in range(MOST_PASSES):
        scale = next_scale(found, model.card)
        if scale == found.scale:
            break
        again = segment_at_scale(normalized, usable, model, options, scale)
        if not again.labels.any() or not explains(again, found, model.card.output.roles):
            break
        found = again
    return found


def segment_at_scale(
    normalized: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    model: Model,
    options: Options,
    scale: float,
) -> Segmentation:
    """Find the objects in a normalized image that the network sees enlarged.

    Parameters
    ----------
    normalized : ndarray of shape (C, Y, X), float32
    usable : ndarray of shape (Y, X), bool, or None
    model : Model
    options : Options
        Its diameter and its scale do not count.
    scale : float

    Returns
    -------
    Segmentation
        On the grid of `normalized`.
    """
    card = model.card

    def predict_whole(
        image: npt.NDArray[np.float32], on_progress: Optional[Callable[[int, int], None]]
    ) -> npt.NDArray[np.float32]:
        return predict_tiled(
            image,
            model.predict,
            out_channels=len(card.output.roles),
            tile_shape=options.tile_shape,
            halo=card.output.halo,
            divisible_by=card.input.divisible_by,
            min_size=card.input.min_size,
            batch_size=options.batch_size,
            on_progress=on_progress,
        )

    probabilities = predict_augmented(
        rescale(normalized, scale), predict_whole, options.augmentation, options.on_progress
    )
    probabilities = resize_planes(probabilities, normalized.shape[1:])
    if usable is not None:
        probabilities[:, ~usable] = 0
    return decode(probabilities, normalized, usable, card, options, scale)


def decode(
    probabilities: npt.NDArray[np.float32],
    normalized: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    card: ModelCard,
    options: Options,
    scale: float,
) -> Segmentation:
    """Turn probabilities on the image's own grid into objects, as a model's card and the options say.

    Parameters
    ----------
    probabilities : ndarray of shape (C, Y, X), float32
    normalized : ndarray of shape (channels, Y, X), float32
        The image; the mean of its channels is its brightness.
    usable : ndarray of shape (Y, X), bool, or None
    card : ModelCard
    options : Options
    scale : float
        By which the image was enlarged for the network.

    Returns
    -------
    Segmentation
    """
    settings = postprocessing_at_scale(card.postprocessing, scale)
    if options.foreground_threshold:
        settings = replace(settings, foreground_threshold=options.foreground_threshold)
    if options.fill_holes is not None:
        settings = replace(settings, fill_holes=options.fill_holes != "never")
    roles = card.output.roles

    def measured_diameter() -> float:
        seen = declump(probabilities, roles, settings, AS_THE_MODEL_SAYS, usable)
        return typical_diameter(seen) if seen.any() else card.input.diameter_px / scale

    how = declumping(options, measured_diameter)
    brightness = normalized.mean(axis=0) if how.method == "intensity" else None
    return Segmentation(declump(probabilities, roles, settings, how, usable, brightness), probabilities, scale)


def declumping(options: Options, measured_diameter: Callable[[], float]) -> Declumping:
    """Say how touching objects are told apart, every length a number.

    Parameters
    ----------
    options : Options
    measured_diameter : callable
        Gives the objects' typical diameter, pixels; called only if a length depends on it that the options lack.

    Returns
    -------
    Declumping
        IdentifyPrimaryObjects smooths by 2.35 / 3.5 of the smallest diameter and keeps peaks 1 / 1.5 of it apart.
        The smallest is about half of the typical one, so both are a third of the typical diameter here.
    """
    classical = options.declump_method in ("shape", "intensity")
    automatic = classical and (options.smoothing_px is None or options.min_distance_px is None)
    fills = options.fill_holes == "after thresholding"
    diameter_px = (options.diameter_px or measured_diameter()) if automatic or fills else 0.0
    third = diameter_px / 3 if classical else 0.0
    return Declumping(
        options.declump_method,
        smoothing_px=third if options.smoothing_px is None else options.smoothing_px,
        min_distance_px=third if options.min_distance_px is None else options.min_distance_px,
        fill_before_px=area_of_disc(diameter_px) if fills else 0,
    )


def postprocessing_at_scale(settings: Postprocessing, scale: float) -> Postprocessing:
    """Return settings for the image's own grid, given those for an image enlarged by `scale`."""
    return replace(
        settings,
        marker_min_size_px=settings.marker_min_size_px / scale**2,
        min_size_px=settings.min_size_px / scale**2,
        dilation_px=settings.dilation_px / scale,
    )


def rescale(image: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float32]:
    """Enlarge (C, Y, X) by `scale`; to one pixel at least."""
    return resize_planes(image, (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[2] * scale))))


def resize_planes(planes: npt.NDArray[np.float32], shape: Tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resample (C, Y, X) to another height and width, linearly, smoothed first where it shrinks."""
    if planes.shape[1:] == tuple(shape):
        return planes
    shrinks = shape[0] < planes.shape[1] or shape[1] < planes.shape[2]
    resized = [
        resize(plane, shape, order=1, mode="edge", anti_aliasing=shrinks, preserve_range=True) for plane in planes
    ]
    return np.stack(resized).astype(np.float32)
