"""Believe no output of a network unchecked: probabilities are finite numbers between 0 and 1."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import numpy.typing as npt

from cpunet.errors import ModelError

# What float32 may leave above 1 or below 0 in the sum of a softmax, or after an interpolation.
BEYOND_0_TO_1 = 1e-3


def checked_probabilities(
    found: npt.NDArray[np.float32], roles: Sequence[str], subject: str
) -> npt.NDArray[np.float32]:
    """Return probabilities within 0..1, or refuse the network that computed them.

    Parameters
    ----------
    found : ndarray of shape (N, roles, Y, X) or (N, roles, Z, Y, X), float32
    roles : sequence of str
        The meaning of each channel.
    subject : str
        Whose output it is, the first words of the message.

    Returns
    -------
    ndarray of the same shape, float32
        `found` itself, where it does not go beyond 0 or 1 by rounding.

    Raises
    ------
    ModelError
        If a value is NaN or infinite, or lies beyond 0..1 by more than a thousandth.

    Notes
    -----
    Takes about a millisecond for a tile of 1024 x 1024 pixels: the smallest and the largest value say all, since both
    are NaN if any value is.
    """
    if found.size == 0:
        return found
    with np.errstate(invalid="ignore"):  # some releases of numpy warn of NaN here
        low, high = found.min(), found.max()
    if low >= 0 and high <= 1:
        return found
    if low >= -BEYOND_0_TO_1 and high <= 1 + BEYOND_0_TO_1:
        return np.clip(found, 0, 1)
    raise ModelError(_fault(found, roles, subject))


def _fault(found: npt.NDArray[np.float32], roles: Sequence[str], subject: str) -> str:
    unsound = ~np.isfinite(found)
    if unsound.any():
        return (
            f"{subject}: the network returns values that are no numbers (NaN or infinite), {int(unsound.sum())} of "
            f"{found.size}. "
            "Its weights are damaged, or its training went wrong. Copy or download the file again, or use another."
        )
    others = (0, *range(2, found.ndim))
    lowest, highest = found.min(axis=others), found.max(axis=others)
    worst = int(np.argmax(np.maximum(-lowest, highest - 1)))
    way_out = (
        "Divide it by its largest value in each object, within the network"
        if roles[worst] == "distance"
        else "Export the network with its sigmoid or softmax inside, or check the order of the roles"
    )
    return (
        f"{subject}: the network's channel {roles[worst]} holds "
        f"values from {lowest[worst]:.3g} to {highest[worst]:.3g}; "
        f"each must lie between 0 and 1, as a probability does. {way_out}."
    )
