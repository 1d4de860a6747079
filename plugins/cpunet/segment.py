"""The whole path from an image to labels, on one screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Optional, Protocol, Sequence, Tuple

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from cpunet.declump import declump
from cpunet.model_card import InputCard, ModelCard, Postprocessing
from cpunet.normalize import normalize
from cpunet.tiling import predict_tiled

# A wrong diameter must not turn a field into gigabytes, nor into a handful of pixels.
SMALLEST_SCALE, LARGEST_SCALE = 1 / 16, 4.0
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
        Typical diameter of the objects. The image is rescaled if the model was not trained on such
        sizes. None: never rescaled.
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
    foreground_threshold: Optional[float] = None
    declump: bool = True
    mask: Optional[npt.NDArray[np.bool_]] = None
    tile_shape: Tuple[int, int] = (1024, 1024)
    batch_size: int = 1


class Segmentation(NamedTuple):
    """The result of `segment_image`.

    Attributes
    ----------
    labels : ndarray of shape (Y, X), int32
        0 is background, objects are 1..n without gaps.
    probabilities : ndarray of shape (C, Y, X), float32
        0..1, a channel for each role of the model's output.
    """

    labels: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]


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
            np.zeros(image.shape[:2], np.int32), np.zeros((len(card.output.roles), *image.shape[:2]), np.float32)
        )
    normalized = normalize(channels, card.input.normalization, usable)
    scale = scale_factor(card.input, options.diameter_px)
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
    probabilities = resize_planes(probabilities, image.shape[:2])
    if usable is not None:
        probabilities[:, ~usable] = 0
    settings = postprocessing_at_scale(card.postprocessing, scale)
    if options.foreground_threshold:
        settings = replace(settings, foreground_threshold=options.foreground_threshold)
    labels = declump(probabilities, card.output.roles, settings, options.declump, usable)
    return Segmentation(labels, probabilities)


def check_options(options: Options) -> None:
    """Raise ValueError, in words for a person, if an option cannot be."""
    if options.diameter_px is not None and not options.diameter_px > 0:
        raise ValueError(f"The typical diameter must be larger than 0 pixels; it is {options.diameter_px}.")
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
            "For a colour image choose one channel first (in CellProfiler: ColorToGray); a 3-D stack must be "
            "given plane by plane."
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


def scale_factor(card: InputCard, diameter_px: Optional[float]) -> float:
    """Return by how much an image must be enlarged for a model to know its objects' size.

    Parameters
    ----------
    card : InputCard
    diameter_px : float, optional
        Typical diameter of the objects; None gives 1.

    Returns
    -------
    float
        1 if the model was trained on objects of this size, since an image that is not resampled
        keeps its detail; otherwise what brings them to the trained diameter.
    """
    if diameter_px is None or card.diameter_low_px <= diameter_px <= card.diameter_high_px:
        return 1.0
    return float(np.clip(card.diameter_px / diameter_px, SMALLEST_SCALE, LARGEST_SCALE))


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
