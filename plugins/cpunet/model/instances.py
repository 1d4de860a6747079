"""Objects as a network gives them itself: their boxes, scores and masks; believed only after they were checked."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ModelError
from cpunet.model.probabilities import BEYOND_0_TO_1

# The names of the network's outputs, and how many axes each has.
OUTPUTS = {"boxes": 2, "scores": 1, "masks": 3}
LARGEST_MASK_PX = 256


class Instances(NamedTuple):
    """Objects in an image, the most certain first or in any order.

    Attributes
    ----------
    boxes : ndarray of shape (n, 4), float32
        Upper edge, left edge, lower edge, right edge: y_low, x_low, y_high, x_high, in pixels; 0 is the image's edge.
    scores : ndarray of shape (n,), float32
        How certain each is, 0..1.
    masks : ndarray of shape (n, M, M), float32
        The probability, 0..1, that a place of the box belongs to the object, in M rows and M columns of the box.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    masks: npt.NDArray[np.float32]

    def chosen(self, which: Any) -> Instances:
        """Return the objects that `which`, a mask, indices or a slice, picks."""
        return Instances(*(each[which] for each in self))


def no_instances(mask_px: int = 1) -> Instances:
    """Return no object."""
    return Instances(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, mask_px, mask_px), np.float32))


def joined_instances(parts: Sequence[Instances]) -> Instances:
    """Return the objects of all parts, in their order; parts without an object say nothing of the size of masks.

    Raises ModelError if the masks of two parts have different sizes.
    """
    full = [part for part in parts if len(part.scores)]
    sides = sorted({part.masks.shape[-1] for part in full})
    if len(sides) > 1:
        raise ModelError(
            f"The network gives masks of different sizes: of {sides[0]} x {sides[0]} for one tile, and of "
            f"{sides[-1]} x {sides[-1]} for another. Masks of one size are needed. Export the model again."
        )
    return Instances(*(np.concatenate(each) for each in zip(*full))) if full else no_instances()


def checked_instances(outputs: Sequence[Any], shape: Tuple[int, ...], max_objects: int, subject: str) -> Instances:
    """Return the objects of one image, or refuse the network that gave them.

    Parameters
    ----------
    outputs : sequence of ndarray
        Boxes, scores and masks.
    shape : tuple of int
        Of the input: (1, C, Y, X).
    max_objects : int
        The most that the card promises.
    subject : str
        Whose output it is, the first words of the message.

    Returns
    -------
    Instances
        Scores and masks within 0..1, boxes within a height and width of the image on each side; objects whose box has
        no height or width are left out.

    Raises
    ------
    ModelError
        If the shapes do not fit each other, there are more objects than promised, a value is NaN or infinite, or a
        score or mask lies beyond 0..1 by more than a thousandth.
    """
    found = Instances(*(np.asarray(each).astype(np.float32, copy=False) for each in outputs))
    count = found.scores.shape[0] if found.scores.ndim == 1 else -1
    side = found.masks.shape[-1] if found.masks.ndim == 3 else 0
    if (found.boxes.shape, found.masks.shape) != ((count, 4), (count, side, side)) or not 1 <= side <= LARGEST_MASK_PX:
        raise ModelError(
            f"{subject}: the network returned boxes of shape {found.boxes.shape}, scores of {found.scores.shape} and "
            f"masks of {found.masks.shape}; (n, 4), (n,) and (n, M, M) with M from 1 to {LARGEST_MASK_PX} are needed. "
            "Export the model again."
        )
    if count > max_objects:
        raise ModelError(
            f"{subject}: the network returned {count} objects for a tile, and its card promises {max_objects} at "
            f"most. Set the number with `cpunet card edit --set postprocessing.max_objects={count}`."
        )
    for name, values in found._asdict().items():
        if not np.isfinite(values).all():
            raise ModelError(
                f"{subject}: the network's output {name} holds values that are no numbers (NaN or infinite). Its "
                "weights are damaged, or its training went wrong. Copy or download the file again, or use another."
            )
    for name in ("scores", "masks"):
        values = getattr(found, name)
        low, high = values.min(initial=0), values.max(initial=0)
        if low < -BEYOND_0_TO_1 or high > 1 + BEYOND_0_TO_1:
            raise ModelError(
                f"{subject}: the network's output {name} holds values from {low:.3g} to {high:.3g}; each must lie "
                "between 0 and 1, as a probability does. Export the network with its sigmoid or softmax inside."
            )
    size = np.array(shape[2:] * 2, np.float32)
    boxes = np.clip(found.boxes, -size, 2 * size)
    has_area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Instances(boxes, np.clip(found.scores, 0, 1), np.clip(found.masks, 0, 1)).chosen(has_area)
