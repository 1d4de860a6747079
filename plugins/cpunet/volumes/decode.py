"""Turn the probabilities of a volume into labels, as the model's card and the options say."""

from __future__ import annotations

from typing import Optional

import numpy as np
import numpy.typing as npt

from cpunet.model.card import ModelCard
from cpunet.options import Options
from cpunet.steps.decode import declumping_of, depends_on_diameter, settings_of
from cpunet.steps.diameter import typical_diameter, volume_of_sphere
from cpunet.volumes.declump import declump_volume
from cpunet.volumes.spacing import planes_factor, z_step_of


def decode_volume(
    probabilities: npt.NDArray[np.float32],
    channels: Optional[npt.NDArray[np.float32]],
    usable: Optional[npt.NDArray[np.bool_]],
    card: ModelCard,
    options: Options,
    scale: float,
) -> npt.NDArray[np.int32]:
    """Turn probabilities into labels; as `cpunet.steps.decode.decode`, for volumes.

    Parameters
    ----------
    probabilities : ndarray of shape (roles, Z, Y, X), float32
        0..1, on the volume's own grid.
    channels : ndarray of shape (C, Z, Y, X), float32, or None
        The prepared volume, for the method ``intensity``; the others need none.
    usable : ndarray of shape (Z, Y, X), bool, or None
        No object has a voxel outside.
    card : ModelCard
        Its sizes are voxels as the network sees them.
    options : Options
    scale : float
        By how much height and width were enlarged for the network.

    Returns
    -------
    ndarray of shape (Z, Y, X), int32
        0 is background, objects are 1..n without gaps.
    """
    z_step_px = z_step_of(card.input, options)
    settings = settings_of(card.postprocessing, options, scale, planes_factor(card.input, options, scale))
    roles = card.output.roles
    diameter_px = options.diameter_px or 0.0
    if not diameter_px and depends_on_diameter(options):
        found = declump_volume(probabilities, roles, settings, z_step_px, usable=usable)
        diameter_px = typical_diameter(found, z_step_px) if found.any() else card.input.diameter_px / scale
        del found
    how = declumping_of(options, diameter_px, volume_of_sphere(diameter_px) / z_step_px)
    return declump_volume(probabilities, roles, settings, z_step_px, how, usable, channels)
