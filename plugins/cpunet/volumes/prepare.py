"""Prepare a volume for a model: find its usable voxels, and normalize all planes together by them."""

from __future__ import annotations

from typing import Any, Optional, Sequence

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.model.card import InputCard
from cpunet.steps.pixels.channels import with_channels
from cpunet.steps.pixels.fill import defects, fill
from cpunet.steps.planes import in_one_plane, mask_in_one_plane
from cpunet.steps.prepare import Prepared, measured_channels, normalize

Mask = npt.NDArray[np.bool_]


def prepare_volume(volume: npt.NDArray[Any], card: InputCard, mask: Optional[Mask] = None) -> Prepared:
    """Check a volume against what the model takes, and normalize it as a whole.

    Parameters
    ----------
    volume : ndarray of shape (Z, Y, X) or (Z, Y, X, C), any real dtype
    card : InputCard
    mask : ndarray of shape (Y, X) or (Z, Y, X), bool, optional

    Returns
    -------
    Prepared
        Channels (C, Z, Y, X), and usable voxels (Z, Y, X).

    Raises
    ------
    ImageError
        If the shape or type does not fit.

    Notes
    -----
    1. Voxels that are not finite, and padding, set no contrast and belong to no object.
    2. All planes are normalized together, so that the noise of an empty plane is not stretched into objects.
    3. What was not measured is filled in its plane, as `cpunet.steps.prepare.prepare` does. A plane of which nothing
       was measured becomes the nearest one that was.
    """
    shape = volume.shape[:3]
    below_each_other = mask_in_one_plane(mask, shape)
    stack = in_one_plane(volume)
    _check_channels(volume, stack, card.channels)
    channels, usable, empty, notes = measured_channels(stack, card.channels, card.normalization, below_each_other)
    normalized = normalize(channels, card.normalization, usable).reshape(-1, *shape)
    del channels
    if usable is None:
        return Prepared(normalized, None, notes)
    in_planes = usable.reshape(shape)
    if empty is not None and in_planes.any():
        hidden = empty if below_each_other is None else empty & below_each_other
        in_planes = _fill_planes(normalized, in_planes, hidden.reshape(shape))
    return Prepared(normalized, in_planes, notes)


def _check_channels(volume: npt.NDArray[Any], stack: npt.NDArray[Any], names: Sequence[str]) -> None:
    """Raise ImageError if a volume, given in one plane as well, has other channels than the model."""
    shown = with_channels(stack, names)
    found = 1 if shown.ndim == 2 else shown.shape[2]
    if found != len(names):
        raise ImageError(
            f"The stack has the shape {volume.shape}, that is {found} channel{'s' if found > 1 else ''}, and the "
            f"model takes {len(names)} ({', '.join(names)}). Give it these, in this order, in the last place of the "
            "shape (`cpunet segment` takes one of them with --channel; in Fiji: Image > Color > Split Channels), or "
            "choose a model of other channels."
        )


def _fill_planes(normalized: npt.NDArray[np.float32], usable: Mask, hidden: Mask) -> Mask:
    """Fill the hidden voxels plane by plane, in place; return the usable ones with the points and lines among these."""
    filled_in = usable.copy()
    measured = np.flatnonzero(usable.any(axis=(1, 2)))
    for z in np.flatnonzero(hidden.any(axis=(1, 2))):
        plane = normalized[:, z]
        if usable[z].any():
            filled = plane.copy()
            fill(filled, ~usable[z])
            np.copyto(plane, filled, where=hidden[z])
            filled_in[z] |= defects(hidden[z])
    for z in np.flatnonzero(hidden.any(axis=(1, 2)) & ~usable.any(axis=(1, 2))):
        nearest = measured[np.argmin(np.abs(measured - z))]
        np.copyto(normalized[:, z], normalized[:, nearest], where=hidden[z])
    return filled_in
