"""Compare the objects that two computations of a network give, and say where they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cpunet.errors import DisagreementError
from cpunet.model.instances import Instances


@dataclass(frozen=True)
class InstancesTolerance:
    """How far the objects of two computations may differ.

    Attributes
    ----------
    box_px : float
        An edge of a box.
    score : float
        A score. An object whose score is as close to the threshold may be missing in one of the two.
    mask : float
        A value of a mask.
    """

    box_px: float = 0.5
    score: float = 0.01
    mask: float = 0.05

    def __str__(self) -> str:
        """Return the numbers for a message."""
        return f"boxes {self.box_px:g} pixels, scores {self.score:g}, masks {self.mask:g}"


def check_instances_agreement(
    found: Instances, expected: Instances, score_threshold: float, tolerance: InstancesTolerance, what: str
) -> str:
    """Pair the objects of two computations by their boxes, and return in words by how much they differ at most.

    Parameters
    ----------
    found, expected : Instances
    score_threshold : float
        0..1; objects of a lower score do not count.
    tolerance : InstancesTolerance
    what : str
        Names the two in the message, such as ``the network and its stored test``.

    Raises
    ------
    DisagreementError
        If an object has no partner, or differs from it by more than the tolerance.
    """
    if found.masks.shape[1:] != expected.masks.shape[1:] and len(found.scores) and len(expected.scores):
        raise DisagreementError(
            f"{what} differ in the shape of masks: {found.masks.shape[1:]} against {expected.masks.shape[1:]}."
        )
    largest = np.zeros(3)
    free = np.ones(len(found.scores), bool)
    for place in np.flatnonzero(expected.scores >= score_threshold):
        apart = np.abs(found.boxes - expected.boxes[place]).max(axis=1, initial=0)
        apart[~free] = np.inf
        partner = int(apart.argmin()) if len(apart) else -1
        if partner < 0 or apart[partner] > tolerance.box_px:
            if expected.scores[place] < score_threshold + tolerance.score:
                continue
            raise DisagreementError(
                f"{what} disagree: an object of score {expected.scores[place]:.3f} in the box "
                f"{expected.boxes[place].round(1).tolist()} is missing in the first ({tolerance})."
            )
        free[partner] = False
        score = abs(float(found.scores[partner]) - float(expected.scores[place]))
        mask = float(np.abs(found.masks[partner] - expected.masks[place]).max())
        if score > tolerance.score or mask > tolerance.mask:
            raise DisagreementError(
                f"{what} disagree on the object in the box {expected.boxes[place].round(1).tolist()}: scores by "
                f"{score:.4f}, masks by {mask:.4f} ({tolerance})."
            )
        largest = np.maximum(largest, (apart[partner], score, mask))
    more = np.flatnonzero(free & (found.scores >= score_threshold + tolerance.score))
    if len(more):
        raise DisagreementError(
            f"{what} disagree: an object of score {found.scores[more[0]]:.3f} in the box "
            f"{found.boxes[more[0]].round(1).tolist()} is missing in the second ({tolerance})."
        )
    return "boxes within {:.1e} pixels, scores within {:.1e}, masks within {:.1e}".format(*largest)
