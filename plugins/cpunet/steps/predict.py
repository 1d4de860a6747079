"""Run the network over a prepared image: rescale it, predict several views of it, and average the predictions."""

from __future__ import annotations

from typing import Callable, List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.protocol import Model
from cpunet.options import AUGMENTATIONS, Options, Progress, progress_of_part
from cpunet.steps.resize import rescale, resize_planes
from cpunet.steps.tile_shape import automatic_tile_shape
from cpunet.steps.tiling import predict_tiled

PredictView = Callable[[npt.NDArray[np.float32], Optional[Progress]], npt.NDArray[np.float32]]


def predict(
    channels: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    model: Model,
    options: Options,
    scale: float,
) -> npt.NDArray[np.float32]:
    """Predict the probabilities of a prepared image.

    Parameters
    ----------
    channels : ndarray of shape (C, Y, X), float32
        From `cpunet.steps.prepare.prepare`; need not be square.
    usable : ndarray of shape (Y, X), bool, or None
        Probabilities are 0 elsewhere.
    model : Model
    options : Options
        Only the augmentation, the scales of the views, the crops, the tile settings and `on_progress` are used.
    scale : float
        By how much the image is enlarged for the network.

    Returns
    -------
    ndarray of shape (roles, Y, X), float32
        0..1, on the grid of `channels`.

    Notes
    -----
    1. The image is enlarged or shrunk, once for each scale of the views.
    2. Each view of the augmentation is mirrored and turned, predicted in tiles or in crops, and turned back.
    3. The views are averaged, role by role. No role has a direction, so the mean of roles turned back is right.
    4. The mean is brought back to the image's own grid, and the scales are averaged there.

    Averaging over views is test-time augmentation, as in Cellpose (Stringer et al. 2021,
    doi:10.1038/s41592-020-01018-x) and in the winners of the Data Science Bowl 2018 (Caicedo et al. 2019,
    doi:10.1038/s41592-019-0612-7). The time grows with the number of views.
    """

    def predict_view(view: npt.NDArray[np.float32], report: Optional[Progress]) -> npt.NDArray[np.float32]:
        if options.crop_px is None:
            return predict_in_tiles(view, model, options.tile_shape, options.batch_size, report)
        return predict_in_crops(view, model, options.crop_px, report)

    scales = options.view_scales
    probabilities: Optional[npt.NDArray[np.float32]] = None
    for index, factor in enumerate(scales):
        progress = progress_of_part(options.on_progress, index, len(scales))
        predicted = mean_of_turns(rescale(channels, scale * factor), options.augmentation, predict_view, progress)
        predicted = resize_planes(predicted, channels.shape[1:])
        probabilities = predicted if probabilities is None else np.add(probabilities, predicted, out=probabilities)
    assert probabilities is not None
    if len(scales) > 1:
        probabilities /= np.float32(len(scales))
    if usable is not None:
        probabilities[:, ~usable] = 0
    return probabilities


def mean_of_turns(
    image: npt.NDArray[np.float32], augmentation: str, predict_view: PredictView, on_progress: Optional[Progress]
) -> npt.NDArray[np.float32]:
    """Predict (C, Y, X) or (C, Z, Y, X) mirrored and turned in each way of the augmentation, and average the results.

    Each is turned back first. Volumes are mirrored and turned in their planes. `predict_view` takes a view, and the
    function that counts its tiles.
    """
    views = AUGMENTATIONS[augmentation]
    mean: Optional[npt.NDArray[np.float32]] = None
    for index, (turns, mirrored) in enumerate(views):
        view = np.ascontiguousarray(np.rot90(np.flip(image, -1) if mirrored else image, turns, axes=(-2, -1)))
        predicted = predict_view(view, progress_of_part(on_progress, index, len(views)))
        predicted = np.rot90(predicted, -turns, axes=(-2, -1))
        predicted = np.flip(predicted, -1) if mirrored else predicted
        mean = predicted if mean is None else np.add(mean, predicted, out=mean)
    assert mean is not None
    mean /= np.float32(len(views))
    return mean


def predict_in_crops(
    image: npt.NDArray[np.float32], model: Model, crop_px: int, on_progress: Optional[Progress] = None
) -> npt.NDArray[np.float32]:
    """Predict (C, Y, X) in squares that overlap by half or more, and average them.

    Parameters
    ----------
    image : ndarray of shape (C, Y, X), float32
    model : Model
    crop_px : int
        Side of a square, pixels. An image that is smaller is one crop.
    on_progress : callable, optional
        Called with the tiles of all crops that are done and their number.

    Returns
    -------
    ndarray of shape (roles, Y, X), float32
        0..1.

    Notes
    -----
    Unlike tiles, crops keep what they predict up to their edge: each pixel is seen in up to four surroundings. Its
    weight in a crop falls linearly along each axis, from the crop's middle to its edge.
    """
    height, width = image.shape[1:]
    crops = [
        (slice(top, min(top + crop_px, height)), slice(left, min(left + crop_px, width)))
        for top in crop_starts(height, crop_px)
        for left in crop_starts(width, crop_px)
    ]
    total = np.zeros((len(model.card.output.roles), height, width), np.float32)
    weights = np.zeros((height, width), np.float32)
    for index, (rows, columns) in enumerate(crops):
        crop = np.ascontiguousarray(image[:, rows, columns])
        weight = np.outer(_tent(crop.shape[1]), _tent(crop.shape[2]))
        progress = progress_of_part(on_progress, index, len(crops))
        total[:, rows, columns] += weight * predict_in_tiles(crop, model, on_progress=progress)
        weights[rows, columns] += weight
    total /= weights
    return total


def crop_starts(size: int, crop_px: int) -> List[int]:
    """Place crops evenly along an axis, so that neighbors overlap by half of their length or more.

    >>> crop_starts(size=100, crop_px=40)
    [0, 20, 40, 60]
    """
    if size <= crop_px:
        return [0]
    count = -(-2 * (size - crop_px) // crop_px) + 1
    return [int(start) for start in np.linspace(0, size - crop_px, count).round()]


def _tent(size: int) -> npt.NDArray[np.float32]:
    """Return weights along an axis that fall from its middle to its ends, 0 to 1 without 0."""
    distance = np.abs(2 * np.arange(size) + 1 - size)
    return (1 - distance / np.float32(size + 1)).astype(np.float32)


def predict_in_tiles(
    image: npt.NDArray[np.float32],
    model: Model,
    tile_shape: Optional[Tuple[int, int]] = None,
    batch_size: int = 1,
    on_progress: Optional[Progress] = None,
) -> npt.NDArray[np.float32]:
    """Predict (C, Y, X) as it is, in tiles as the model's card asks for; see `cpunet.steps.tiling.predict_tiled`.

    A network of one size gets tiles of that size, whatever `tile_shape` is. None: `automatic_tile_shape`.
    """
    card = model.card
    return predict_tiled(
        image,
        model.predict,
        len(card.output.roles),
        tile_shape or automatic_tile_shape(image.shape[1:], model),
        card.output.halo,
        card.input.divisible_by,
        card.input.min_size,
        batch_size,
        on_progress,
        card.input.tile_shape,
    )
