"""What Mask R-CNN learns of labels: the box and the mask of each object."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.patches.patch import Patch

# A patch's edge leaves slivers of objects, of which nobody could tell what they are.
SMALLEST_AREA_PX = 4
OBJECT = 1


def objects_of(labels: NDArray[np.integer]) -> dict[str, Tensor]:
    """Return the objects of a patch as torchvision's detectors learn them.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), integer
        0 is background. Objects of less than `SMALLEST_AREA_PX` pixels are left out.

    Returns
    -------
    dict of str to Tensor
        ``boxes`` (n, 4), float32: x_low, y_low, x_high, y_high, the last pixel's far edge. ``labels`` (n,), int64: 1.
        ``masks`` (n, Y, X), uint8.

    Examples
    --------
    >>> found = objects_of(np.array([[0, 3, 3], [0, 3, 3]]))
    >>> found["boxes"].tolist(), found["masks"].tolist()
    ([[1.0, 0.0, 3.0, 2.0]], [[[0, 1, 1], [0, 1, 1]]])
    """
    labels = without_ignored(labels)
    areas = np.bincount(labels.ravel())
    places = ndimage.find_objects(labels)
    numbers = [n for n in range(1, len(areas)) if areas[n] >= SMALLEST_AREA_PX]
    windows = [places[number - 1] for number in numbers]
    boxes = [[x.start, y.start, x.stop, y.stop] for y, x in windows]
    masks = labels == np.array(numbers, dtype=labels.dtype).reshape(-1, 1, 1)
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.full((len(numbers),), OBJECT, dtype=torch.int64),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
    }


def image_of(patch: Patch) -> Tensor:
    """Return a patch's image (C, Y, X), float32, black where nobody labeled: an object there would teach a fault."""
    image = np.where(patch.labels < 0, np.float32(0), patch.image)
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
