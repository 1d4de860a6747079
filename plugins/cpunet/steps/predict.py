"""Run the network over a prepared image: rescale it, predict several views of it, and average the predictions."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.protocol import Model
from cpunet.options import AUGMENTATIONS, Options, Progress, progress_of_part
from cpunet.steps.resize import rescale, resize_planes
from cpunet.steps.tile_shape import automatic_tile_shape
from cpunet.steps.tiling import predict_tiled


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
        Only the augmentation, the tile settings and `on_progress` are used.
    scale : float
        By how much the image is enlarged for the network.

    Returns
    -------
    ndarray of shape (roles, Y, X), float32
        0..1, on the grid of `channels`.

    Notes
    -----
    1. The image is enlarged or shrunk.
    2. Each view of the augmentation is mirrored and turned, predicted in tiles, and turned back.
    3. The views are averaged, role by role. No role has a direction, so the mean of roles turned back is right.
    4. The mean is brought back to the image's own grid.

    Averaging over views is test-time augmentation, as in Cellpose (Stringer et al. 2021,
    doi:10.1038/s41592-020-01018-x) and in the winners of the Data Science Bowl 2018 (Caicedo et al. 2019,
    doi:10.1038/s41592-019-0612-7). The time grows with the number of views.
    """
    views = AUGMENTATIONS[options.augmentation]
    enlarged = rescale(channels, scale)
    mean: Optional[npt.NDArray[np.float32]] = None
    for index, (turns, mirrored) in enumerate(views):
        view = np.rot90(np.flip(enlarged, 2) if mirrored else enlarged, turns, axes=(1, 2))
        progress = progress_of_part(options.on_progress, index, len(views))
        predicted = predict_in_tiles(
            np.ascontiguousarray(view), model, options.tile_shape, options.batch_size, progress
        )
        predicted = np.rot90(predicted, -turns, axes=(1, 2))
        predicted = np.flip(predicted, 2) if mirrored else predicted
        mean = predicted if mean is None else np.add(mean, predicted, out=mean)
    assert mean is not None
    mean /= np.float32(len(views))
    del enlarged, view
    probabilities = resize_planes(mean, channels.shape[1:])
    if usable is not None:
        probabilities[:, ~usable] = 0
    return probabilities


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
