"""See an image several times, mirrored and turned, and average what the network says of it."""

from __future__ import annotations

from typing import Callable, Dict, Optional, Tuple

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
# By name: how often the image is turned by 90 degrees, and whether it is mirrored left to right before.
VIEWS: Dict[str, Tuple[Tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "flips and rotations": tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}
AUGMENTATIONS = tuple(VIEWS)


def predict_augmented(
    image: Planes,
    predict_whole: Callable[[Planes, Optional[Progress]], Planes],
    augmentation: str = "none",
    on_progress: Optional[Progress] = None,
) -> Planes:
    """Average the predictions for an image and for its mirrored and turned copies.

    Parameters
    ----------
    image : ndarray of shape (C, Y, X), float32
        Normalized; need not be square.
    predict_whole : callable
        Takes an image of any size and a function to report progress to, gives (roles, Y, X): tiles, and what sizes
        the network takes, are its own matter.
    augmentation : str
        ``none`` (one look), ``flips`` (4: as it is, left to right, top to bottom, both) or ``flips and rotations``
        (8: these turned by 90 degrees too).
    on_progress : callable, optional
        Called with the tiles done and their number, counted over all looks.

    Returns
    -------
    ndarray of shape (roles, Y, X), float32
        The mean, role by role, on the grid of `image`.

    Notes
    -----
    All roles are numbers without a direction, so that the mean of a role turned back is right. The same is done in
    Cellpose (Stringer et al. 2021, doi:10.1038/s41592-020-01018-x) and by the winners of the Data Science Bowl 2018
    (Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7). It takes as many times longer as there are looks.
    """
    views = VIEWS[augmentation]
    total: Optional[Planes] = None
    for index, (turns, mirrored) in enumerate(views):
        seen = np.rot90(np.flip(image, 2) if mirrored else image, turns, axes=(1, 2))
        predicted = predict_whole(np.ascontiguousarray(seen), _counted(on_progress, index, len(views)))
        predicted = np.rot90(predicted, -turns, axes=(1, 2))
        predicted = np.flip(predicted, 2) if mirrored else predicted
        if len(views) == 1:
            return predicted
        total = predicted.copy() if total is None else np.add(total, predicted, out=total)
    assert total is not None
    total /= np.float32(len(views))
    return total


def _counted(on_progress: Optional[Progress], index: int, count: int) -> Optional[Progress]:
    """Return a function that counts the tiles of one look among those of all."""
    if on_progress is None:
        return None
    report = on_progress
    return lambda done, total: report(index * total + done, count * total)
