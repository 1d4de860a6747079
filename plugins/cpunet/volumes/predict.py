"""Run the network over a prepared volume: resample it, predict several views of it, and average the predictions."""

from __future__ import annotations

from typing import Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.model.axes import halos, least_sizes, units
from cpunet.model.protocol import Model
from cpunet.options import Options, Progress, progress_of_part
from cpunet.steps.predict import mean_of_turns
from cpunet.volumes.resize import resize_volume
from cpunet.volumes.spacing import planes_factor, refuse_more_than_memory, seen_shape
from cpunet.volumes.tile_shape import automatic_volume_tile
from cpunet.volumes.tiling import predict_tiled_volume


def predict_volume(
    channels: npt.NDArray[np.float32],
    usable: Optional[npt.NDArray[np.bool_]],
    model: Model,
    options: Options,
    scale: float,
) -> npt.NDArray[np.float32]:
    """Predict the probabilities of a prepared volume.

    Parameters
    ----------
    channels : ndarray of shape (C, Z, Y, X), float32
        From `cpunet.volumes.prepare.prepare_volume`.
    usable : ndarray of shape (Z, Y, X), bool, or None
        Probabilities are 0 elsewhere.
    model : Model
        Of volumes.
    options : Options
        Only the z step, the augmentation, the scales of the views, the tile settings and `on_progress` are used.
    scale : float
        By how much height and width are enlarged for the network.

    Returns
    -------
    ndarray of shape (roles, Z, Y, X), float32
        0..1, on the grid of `channels`.

    Raises
    ------
    OptionError
        If the z step is too far from the model's, or tiles are too small.
    ImageError
        If the volume must be enlarged beyond the memory.

    Notes
    -----
    1. The volume is resampled, once for each scale of the views, so that its z step is the model's.
    2. Each view of the augmentation is mirrored and turned in the plane, predicted in tiles, and turned back.
    3. The views are averaged, brought back to the volume's own grid, and the scales are averaged there.
    """
    factor, scales = planes_factor(model.card.input, options, scale), options.view_scales
    probabilities: Optional[npt.NDArray[np.float32]] = None
    for index, view in enumerate(scales):
        progress = progress_of_part(options.on_progress, index, len(scales))
        shape = seen_shape(channels.shape[1:], scale * view, factor * view)
        refuse_more_than_memory(channels.shape[1:], shape, model.card)

        def predict_view(seen: npt.NDArray[np.float32], report: Optional[Progress]) -> npt.NDArray[np.float32]:
            return predict_in_tiles_of_volume(
                seen, model, options.tile_planes, options.tile_shape, options.batch_size, report
            )

        predicted = mean_of_turns(resize_volume(channels, shape), options.augmentation, predict_view, progress)
        predicted = resize_volume(predicted, channels.shape[1:])
        probabilities = predicted if probabilities is None else np.add(probabilities, predicted, out=probabilities)
    assert probabilities is not None
    if len(scales) > 1:
        probabilities /= np.float32(len(scales))
    if usable is not None:
        for of_role in probabilities:
            of_role[~usable] = 0
    return probabilities


def predict_in_tiles_of_volume(
    volume: npt.NDArray[np.float32],
    model: Model,
    tile_planes: Optional[int] = None,
    tile_shape: Optional[Tuple[int, int]] = None,
    batch_size: int = 1,
    on_progress: Optional[Progress] = None,
) -> npt.NDArray[np.float32]:
    """Predict (C, Z, Y, X) as it is, in tiles as the model's card asks for; see `predict_tiled_volume`.

    Planes, height and width of a tile that are None are chosen by `automatic_volume_tile`.
    """
    card = model.card
    return predict_tiled_volume(
        volume,
        model.predict,
        len(card.output.roles),
        automatic_volume_tile(volume.shape[1:], model, tile_planes, tile_shape),
        halos(card),
        units(card.input),
        least_sizes(card.input),
        batch_size,
        on_progress,
    )
