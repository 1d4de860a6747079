"""Cut regions out of a feature pyramid, each out of the level that fits its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import MultiScaleRoIAlign, roi_align

from cpunet.training.detection.config import STRIDES_PX

# Of the pyramid's coarsest level none is cut out.
LEVELS = ("0", "1", "2", "3")
# A region of this side is cut out of the third level; of half of it, out of the second.
CANONICAL_PX, CANONICAL_LEVEL = 224, 2
SAMPLES = 2


class RegionPooling(MultiScaleRoIAlign):
    """Pooling of regions by torchvision's rule, from all levels at once.

    torchvision pools each level's regions by themselves, so that the number of regions in a step depends on the pixels.
    Here the levels lie beside each other in one map and each region is moved to its level's place, so that an exported
    network needs one step for any number of regions.

    Parameters
    ----------
    side : int
        Height and width of what each region becomes.

    Notes
    -----
    Choice of the level: Lin et al. 2017, doi:10.1109/CVPR.2017.106, equation 1. Pooling: He et al. 2017,
    doi:10.1109/ICCV.2017.322. Each level is continued by one pixel at its lower and right edge, where torchvision
    repeats its last one.
    """

    def __init__(self, side: int) -> None:
        super().__init__(featmap_names=list(LEVELS), output_size=side, sampling_ratio=SAMPLES)

    def forward(self, x: Mapping[str, Tensor], boxes: Sequence[Tensor], image_shapes: object) -> Tensor:
        """Return the features of all regions, (regions, C, side, side).

        Parameters
        ----------
        x : mapping of str to Tensor of shape (N, C, Y, X)
            The pyramid, the finest level first.
        boxes : sequence of Tensor of shape (regions, 4)
            x_low, y_low, x_high, y_high of the regions of each image, in pixels of the image and within it.
        image_shapes
            Not used.
        """
        levels, regions = joined_levels(x, torch.cat(list(boxes)))
        numbers = torch.cat([torch.full_like(each[:, :1], place) for place, each in enumerate(boxes)])
        return roi_align(
            levels, torch.cat([numbers, regions], dim=1), self.output_size, sampling_ratio=self.sampling_ratio
        )


def joined_levels(pyramid: Mapping[str, Tensor], boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Join the levels of a pyramid into one map, and move boxes to where their level lies in it.

    Parameters
    ----------
    pyramid : mapping of str to Tensor of shape (N, C, Y, X)
    boxes : Tensor of shape (regions, 4)
        Pixels of the image.

    Returns
    -------
    map : Tensor of shape (N, C, Y, X), float32
        As high as the finest level and one row, and about twice as wide.
    boxes : Tensor of shape (regions, 4)
        Pixels of the map.
    """
    # Autocast computes some levels in half precision, of which pooling takes none.
    joined, left = _side_by_side([pyramid[name].float() for name in LEVELS])
    level = level_of(boxes)
    scale = torch.tensor([1 / stride for stride in STRIDES_PX[: len(LEVELS)]]).to(boxes)[level]
    shift = left.to(boxes)[level]
    return joined, boxes * scale[:, None] + torch.stack([shift, torch.zeros_like(shift)] * 2, dim=1)


def level_of(boxes: Tensor) -> Tensor:
    """Return the level of the pyramid, 0 for the finest, out of which each box (regions, 4) is cut.

    Examples
    --------
    >>> level_of(torch.tensor([[0.0, 0, 20, 20], [0, 0, 120, 120], [0, 0, 300, 900]])).tolist()
    [0, 1, 3]
    """
    side = torch.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    # The smallest sides of the second level and those after; a side that is equal up to rounding belongs to it.
    smallest = [CANONICAL_PX * 2.0 ** (place - CANONICAL_LEVEL - 1e-6) for place in range(1, len(LEVELS))]
    return sum((side >= limit).to(torch.int64) for limit in smallest)  # type: ignore[return-value]


def _side_by_side(levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Join levels (N, C, Y, X) into one map as high as the first; return it and the column where each begins."""
    padded = [functional.pad(level, (0, 1, 0, 1), mode="replicate") for level in levels]
    height = torch.onnx.operators.shape_as_tensor(padded[0])[2]
    parts, left = [padded[0]], [torch.zeros((), dtype=torch.int64)]
    for level in padded:
        left.append(left[-1] + torch.onnx.operators.shape_as_tensor(level)[3])
        if level is not padded[0]:
            below = level.new_zeros((level.shape[0], level.shape[1], height - level.shape[2], level.shape[3]))
            parts.append(torch.cat([level, below], dim=2))
    return torch.cat(parts, dim=3), torch.stack(left[:-1])
