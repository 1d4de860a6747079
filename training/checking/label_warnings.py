"""What looks broken in labels that can be read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label as connected

SPECK_PX = 10
Said = tuple[str, str]


def label_warnings(labels: NDArray[np.integer]) -> list[Said]:
    """Say what looks broken in the labels of an image.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background.

    Returns
    -------
    list of (str, str)
        A kind and a sentence each.
    """
    numbers, dense = np.unique(np.append(labels.ravel(), labels.dtype.type(0)), return_inverse=True)
    labels = dense[:-1].reshape(labels.shape)  # 0..n, whatever the numbers are
    if len(numbers) == 1:
        return [("empty", "no object. If nothing is in the image, that is right; else its labels are missing.")]
    said = []
    if numbers[-1] != len(numbers) - 1:
        said.append(("gaps", f"the numbers of its {len(numbers) - 1} objects go up to {numbers[-1]}."))
    area = np.bincount(labels.ravel(), minlength=len(numbers))
    for kind, broken, how in (
        ("pieces", _in_pieces(labels), "in several pieces: two under one number, or stray pixels."),
        ("specks", area[1:] < SPECK_PX, f"of less than {SPECK_PX} pixels."),
        ("nested", _nested(labels), "inside another object, with no background beside it."),
    ):
        if broken.any():
            said.append((kind, f"{_objects(numbers[1:][broken])} {how}"))
    return said


def _in_pieces(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Say of each object 1..n whether it does not hang together, be it by a corner."""
    pieces = connected(labels, background=0, connectivity=2)
    object_of = np.zeros(pieces.max() + 1, np.int64)
    object_of[pieces.ravel()] = labels.ravel()
    return np.bincount(object_of[1:])[1:] > 1


def _nested(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Say of each object 1..n whether all its neighbors are one other object."""
    # Outside the frame is as good as background: what touches it is not enclosed.
    framed = np.pad(labels, 1)
    sides = np.concatenate(
        [
            np.stack([framed[1:].ravel(), framed[:-1].ravel()]),
            np.stack([framed[:, 1:].ravel(), framed[:, :-1].ravel()]),
        ],
        axis=1,
    )
    touching = sides[:, sides[0] != sides[1]]
    pairs = np.unique(np.concatenate([touching, touching[::-1]], axis=1), axis=1)
    neighbors = np.bincount(pairs[0])
    beside_background = np.zeros(len(neighbors), bool)
    beside_background[pairs[0][pairs[1] == 0]] = True
    return (neighbors == 1)[1:] & ~beside_background[1:]


def _objects(numbers: NDArray[np.integer]) -> str:
    shown = ", ".join(str(number) for number in numbers[:5]) + (" ..." if len(numbers) > 5 else "")
    return f"{len(numbers)} object{'s' if len(numbers) > 1 else ''} ({shown})"
