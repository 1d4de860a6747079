"""Which pixels of a patch count more: the gaps between objects that touch or nearly touch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.training.network.losses import Loss
from cpunet.training.patches.targets import Targets, border_between_objects

# Where the two distances together reach this many standard deviations, the weight is below 4 millionths of its height.
FAR = 5


def border_weights(
    labels: NDArray[np.integer],
    planes: NDArray[np.float32],
    targets: Targets,
    weight: float,
    sampling: Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """Weigh pixels between close objects (`border_between_objects`) by 1 + `weight`, all others by 1.

    They are taken from the targets' own plane where there is one: finding them takes a fifth of a patch's time.
    """
    if "border" in targets.roles:
        return 1 + np.float32(weight) * planes[targets.roles.index("border")]
    return 1 + np.float32(weight) * border_between_objects(labels, targets.border_reach_px, sampling)


def unet_weights(
    labels: NDArray[np.integer], weight: float, sigma_px: float, sampling: Sequence[float] | None = None
) -> NDArray[np.float32]:
    """Weigh pixels by how near the two nearest objects are.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
        0 is background.
    weight : float
        Height of the ridge above 1: the paper's w0.
    sigma_px : float
        The paper's sigma.
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of the labels' shape, float32
        1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2)), where d1 and d2 are the distances to the nearest and the second
        nearest object, 0 within one. Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28. Their balance of
        classes is `class_weights` of the loss.
    """
    reach = int(np.ceil(FAR * sigma_px))
    nearest = np.full(labels.shape, np.inf, np.float32)
    second = nearest.copy()
    for number, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is None:
            continue
        around = tuple(slice(max(0, axis.start - reach), axis.stop + reach) for axis in window)
        distance = ndimage.distance_transform_edt(labels[around] != number, sampling).astype(np.float32)
        second[around] = np.minimum(second[around], np.maximum(nearest[around], distance))
        nearest[around] = np.minimum(nearest[around], distance)
    return 1 + np.float32(weight) * np.exp(-0.5 * ((nearest + second) / np.float32(sigma_px)) ** 2)


def pixel_weights(
    labels: NDArray[np.integer],
    planes: NDArray[np.float32],
    loss: Loss,
    targets: Targets,
    sampling: Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """Compute the weights that a loss asks for.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), integer
    planes : ndarray of shape (roles, Y, X) or (roles, Z, Y, X), float32
        `cpunet.training.patches.targets.make_targets` of the labels.
    loss : Loss
    targets : Targets
    sampling : sequence of float, optional
        Distance of two neighbors along each axis, pixels; 1 by default.

    Returns
    -------
    ndarray of the labels' shape, float32
        All 1 if the loss asks for none.
    """
    if loss.weight_map == "border":
        return border_weights(labels, planes, targets, loss.border_weight, sampling)
    if loss.weight_map == "unet":
        return unet_weights(labels, loss.unet_weight, loss.unet_sigma_px, sampling)
    return np.ones(labels.shape, np.float32)
