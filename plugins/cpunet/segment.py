"""The whole path from an image to labels, on one screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Optional, Protocol, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from cpunet.declump import declump
from cpunet.model_card import ModelCard, Postprocessing
from cpunet.normalize import normalize
from cpunet.tiling import predict_tiled
from cpunet.typical_diameter import (
    LARGEST_SCALE,
    MOST_LOOKS,
    SMALLEST_SCALE,
    Segmentation,
    explains,
    next_scale,
    scale_factor,
    window_to_measure,
)

# A model whose input channels bear these names takes colour images, and grey ones as colours that are all alike.
COLOURS = ("red", "green", "blue")


class Model(Protocol):
    """What `segment_image` needs of a model; `cpunet.session.OnnxModel` is one."""

    @property
    def card(self) -> ModelCard:
        """What the model says of itself."""

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, roles, Y, X)."""


@dataclass(frozen=True)
class Options:
    """How to segment; every default is right for any image.

    Attributes
    ----------
    diameter_px : float, optional
        Typical diameter of the objects. The image is rescaled for the network if the model does not know such
        sizes. None: measured on the image itself, by what the model finds in it.
    scale : float, optional
        Enlarge the image by this for the network, whatever the diameter; 1 leaves it as it is.
    foreground_threshold : float, optional
        0..1; the model card's by default. Lower makes objects larger.
    declump : bool
        Whether touching objects are split.
    mask : ndarray of shape (Y, X), bool, optional
        The usable part of the image. Nothing outside it sets the contrast or becomes an object.
    tile_shape : tuple of int
        Height and width of a piece that the network sees at once, pixels.
    batch_size : int
        Pieces a call of the network.
    """

    diameter_px: Optional[float] = None
    scale: Optional[float] = None
    foreground_threshold: Optional[float] = None
    declump: bool = True
    mask: Optional[npt.NDArray[np.bool_]] = None
    tile_shape: Tuple[int, int] = (1024, 1024)
    batch_size: int = 1


def segment_image(image: npt.NDArray[Any], model: Model, options: Optional[Options] = None) -> Segmentation:
    """Find the objects in an image.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
        Not changed. NaN and infinite pixels count as masked out.
    model : Model
        Such as `cpunet.session.load_model` gives.
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
        if seen.labels.shape == normalized.shape[1:]:
            return seen if options.declump else decode(seen.probabilities, usable, card, options, seen.scale)
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
        Touching objects are always split: a clump is no object to be measured.

    Returns
    -------
    Segmentation
        The last look; an earlier one if a later one finds nothing, or is no better.

    Notes
    -----
    The objects' diameter is measured on the model's own result, which is right over a wide range of sizes; a look
    at the right scale then confirms it, or corrects it once more.
    """
    options = replace(options, declump=True)
    found = segment_at_scale(normalized, usable, model, options, 1.0)
    for _ in range(MOST_LOOKS):
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
    """Find the objects in a normalised image that the network sees enlarged.

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
    probabilities = predict_tiled(
        rescale(normalized, scale),
        model.predict,
        out_channels=len(card.output.roles),
        tile_shape=options.tile_shape,
        halo=card.output.halo,
        divisible_by=card.input.divisible_by,
        min_size=card.input.min_size,
        batch_size=options.batch_size,
    )
    probabilities = resize_planes(probabilities, normalized.shape[1:])
    if usable is not None:
        probabilities[:, ~usable] = 0
    return decode(probabilities, usable, card, options, scale)


def decode(
    probabilities: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    card: ModelCard,
    options: Options,
    scale: float,
) -> Segmentation:
    """Turn probabilities on the image's own grid into objects, as a model's card and the options say.

    Parameters
    ----------
    probabilities : ndarray of shape (C, Y, X), float32
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
    labels = declump(probabilities, card.output.roles, settings, options.declump, usable)
    return Segmentation(labels, probabilities, scale)


def check_options(options: Options) -> None:
    """Raise ValueError, in words for a person, if an option cannot be."""
    if options.diameter_px is not None and not options.diameter_px > 0:
        raise ValueError(f"The typical diameter must be larger than 0 pixels; it is {options.diameter_px}.")
    if options.scale is not None and not SMALLEST_SCALE <= options.scale <= LARGEST_SCALE:
        raise ValueError(
            f"The image can be enlarged for the network by a factor of {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}; it is "
            f"{options.scale}."
        )
    threshold = options.foreground_threshold
    if threshold is not None and not 0 < threshold < 1:
        raise ValueError(f"The foreground threshold must lie between 0 and 1; it is {threshold}.")


def prepare_image(
    image: npt.NDArray[Any], channel_names: Sequence[str], mask: Optional[npt.NDArray[np.bool_]] = None
) -> Tuple[npt.NDArray[np.float32], Optional[npt.NDArray[np.bool_]]]:
    """Check an image against what the model takes, and put its channels first.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    channel_names : sequence of str
        From the model card. A model of red, green and blue takes a grey image too.
    mask : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    channels : ndarray of shape (C, Y, X), float32
        Pixels that are not finite are 0.
    usable : ndarray of shape (Y, X), bool, or None
        None if every pixel counts.

    Raises
    ------
    ValueError
        If the shape or type does not fit.
    """
    wanted = len(channel_names)
    takes = f"{wanted} channel{'s' if wanted > 1 else ''} ({', '.join(channel_names)})"
    if not (np.issubdtype(image.dtype, np.number) or image.dtype == bool) or np.iscomplexobj(image):
        raise ValueError(f"The image holds {image.dtype} values; real numbers are needed.")
    if image.ndim not in (2, 3):
        raise ValueError(f"The image has {image.ndim} dimensions {image.shape}; a plane of two, (Y, X), is needed.")
    if image.size == 0:
        raise ValueError(f"The image has no pixels: its shape is {image.shape}.")
    if image.ndim == 2 and tuple(channel_names) == COLOURS:
        image = np.broadcast_to(image[..., np.newaxis], (*image.shape, wanted))
    found = 1 if image.ndim == 2 else image.shape[2]
    if found != wanted:
        raise ValueError(
            f"The image has the shape {image.shape}, that is {found} channels, and the model takes {takes}. "
            "For a colour image choose a model for colour, such as nuclei_generalist, or one channel of the image "
            "first (in CellProfiler: ColorToGray); a 3-D stack must be given plane by plane."
        )
    if mask is not None and mask.shape != image.shape[:2]:
        raise ValueError(f"The mask has the shape {mask.shape} and the image {image.shape[:2]}; they must agree.")
    channels = np.ascontiguousarray(
        image[np.newaxis] if image.ndim == 2 else np.moveaxis(image, -1, 0), dtype=np.float32
    )
    usable = usable_pixels(image, mask)
    if usable is mask:
        return channels, mask
    return np.where(np.isfinite(channels), channels, np.float32(0)), usable


def usable_pixels(
    image: npt.NDArray[Any], mask: Optional[npt.NDArray[np.bool_]] = None
) -> Optional[npt.NDArray[np.bool_]]:
    """Return the mask without the pixels that are not finite; None if every pixel counts.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    mask : ndarray of shape (Y, X), bool, optional

    Returns
    -------
    ndarray of shape (Y, X), bool, or None
        `mask` itself if all values are finite.
    """
    finite: npt.NDArray[np.bool_] = np.isfinite(image)
    if finite.all():
        return mask
    if finite.ndim == 3:
        finite = np.logical_and.reduce(finite, axis=2)
    return finite if mask is None else np.logical_and(finite, mask)


def has_contrast(channels: npt.NDArray[np.float32], usable: Optional[npt.NDArray[np.bool_]]) -> bool:
    """Return whether any channel holds two different values among its usable pixels."""
    planes = channels.reshape(len(channels), -1) if usable is None else channels[:, usable]
    return planes.shape[1] > 0 and bool((planes.min(axis=1) < planes.max(axis=1)).any())


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
