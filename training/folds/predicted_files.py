"""The probabilities of an image in a file: 8 bits each, with what is needed to find its objects again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from cpunet.errors import DataError
from cpunet.files.mark import mark_text
from cpunet.files.written_beside import written_beside

LARGEST = 255


@dataclass(frozen=True)
class PredictedFile:
    """What a file of probabilities says of itself.

    Attributes
    ----------
    roles : tuple of str
        One a plane.
    scale : float
        By how much the image was enlarged for the network.
    weights : str
        SHA-256 of the weights that predicted it.
    """

    roles: tuple[str, ...]
    scale: float
    weights: str


def write_probabilities(path: Path, probabilities: NDArray[np.float32], about: PredictedFile) -> None:
    """Write probabilities (roles, Y, X), 0..1, as a compressed TIFF of 8 bits: 255 is 1. Whole or not at all."""
    stored = np.rint(probabilities * LARGEST).clip(0, LARGEST).astype(np.uint8)
    description = json.dumps({"roles": about.roles, "scale": about.scale, "weights": about.weights})
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        tifffile.imwrite(
            str(beside),
            stored,
            compression="zlib",
            photometric="minisblack",
            description=description,
            metadata=None,
            software=mark_text(stored, None),
        )


def read_about(path: Path) -> PredictedFile | None:
    """Return what a file of probabilities says of itself; None if there is none, or it is another file."""
    try:
        with tifffile.TiffFile(str(path)) as file:
            found = json.loads(file.pages.first.description)
        return PredictedFile(tuple(found["roles"]), float(found["scale"]), found["weights"])
    except (OSError, ValueError, KeyError, TypeError):  # tifffile's own error is a ValueError
        return None


def read_probabilities(path: Path) -> NDArray[np.float32]:
    """Read probabilities (roles, Y, X), 0..1; DataError if the file cannot be read."""
    try:
        stored = tifffile.imread(str(path))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: these probabilities cannot be read ({error}). Remove the file.") from error
    stored = stored[np.newaxis] if stored.ndim == 2 else stored
    probabilities: NDArray[np.float32] = stored.astype(np.float32) / np.float32(LARGEST)
    return probabilities
