"""Compare two computations of the same probabilities, and say where they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cpunet.errors import DisagreementError


@dataclass(frozen=True)
class Tolerance:
    """How far two computations may differ.

    Attributes
    ----------
    rtol, atol : float
        A value is mismatched if it differs by more than ``atol + rtol * |expected|``.
    mismatched_per_million : float
        How many elements of a million may be mismatched.
    """

    rtol: float = 1e-3
    atol: float = 1e-3
    mismatched_per_million: float = 0.0

    def __str__(self) -> str:
        """Return the numbers for a message."""
        return f"rtol {self.rtol:g}, atol {self.atol:g}, mismatched a million {self.mismatched_per_million:g}"


def check_agreement(
    found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32], tolerance: Tolerance, what: str
) -> float:
    """Compare two outputs of a network, and return the largest difference.

    Parameters
    ----------
    found, expected : ndarray of the same shape, float32
    tolerance : Tolerance
    what : str
        Names the two in the message, such as ``onnxruntime and torch``.

    Raises
    ------
    DisagreementError
        If the shapes differ, or more elements than allowed are mismatched.
    """
    if found.shape != expected.shape:
        raise DisagreementError(f"{what} differ in shape: {found.shape} against {expected.shape}.")
    mismatched = ~np.isclose(found, expected, rtol=tolerance.rtol, atol=tolerance.atol)
    per_million = float(mismatched.mean()) * 1e6
    difference = np.abs(found.astype(float) - expected)
    if per_million > tolerance.mismatched_per_million:
        worst = np.unravel_index(int(np.nan_to_num(difference, nan=np.inf).argmax()), found.shape)
        raise DisagreementError(
            f"{what} disagree at {per_million:.0f} elements a million ({tolerance}); the worst is at "
            f"{tuple(int(place) for place in worst)}: {found[worst]:.6f} against {expected[worst]:.6f}."
        )
    return float(difference.max())
