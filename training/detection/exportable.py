"""Mask R-CNN as it is exported: one image in, boxes, scores and small masks out, in steps of fixed size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import MaskRCNN
from torchvision.ops import nms, roi_align

from cpunet.training.detection.config import STRIDES_PX
from cpunet.training.detection.roi_pooling import RegionPooling, joined_levels

# A logit for places that do not exist: after the sigmoid no score is left.
NEVER = -1e4
# torchvision drops narrower boxes, pixels: of regions, and of objects.
NARROWEST_REGION_PX, NARROWEST_OBJECT_PX = 1e-3, 1e-2
OBJECT = 1


class ExportableDetector(nn.Module):
    """What Mask R-CNN finds in one image.

    torchvision's own code finds the same, by steps whose number and size depend on the pixels. In an exported file
    nothing here does but the number of objects.

    Parameters
    ----------
    network : MaskRCNN
        From `cpunet.training.detection.network.build_detector`, in evaluation mode.

    Notes
    -----
    1. At each level of the pyramid the surest regions are chosen, a fixed number; a level with fewer anchors is filled
       up with regions of no score.
    2. Non-maximum suppression at each level leaves a number of regions that is limited.
    3. The box head scores and moves them; non-maximum suppression leaves `max_objects` at most.
    4. The mask head draws each of them in its box.
    """

    def __init__(self, network: MaskRCNN) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.rpn, self.heads, self.transform = network.rpn, network.roi_heads, network.transform

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Find the objects of one image.

        Parameters
        ----------
        image : Tensor of shape (1, C, Y, X), float32
            Normalized as the card says; one channel, or three.

        Returns
        -------
        boxes : Tensor of shape (n, 4), float32
            y_low, x_low, y_high, x_high in pixels of the image, the surest object first.
        scores : Tensor of shape (n,), float32
            0..1.
        masks : Tensor of shape (n, 28, 28), float32
            0..1, the probability of the object inside its box.
        """
        size = torch.onnx.operators.shape_as_tensor(image)[2:].to(torch.float32)  # a float even in double precision
        limits = torch.cat([size.flip(0), size.flip(0)]).to(image)  # X, Y, X, Y
        colors = three_channels(image)
        mean, deviation = (
            torch.tensor(numbers).to(colors)[None, :, None, None]
            for numbers in (self.transform.image_mean, self.transform.image_std)
        )
        pyramid = self.backbone((colors - mean) / deviation)
        regions = self._regions(list(pyramid.values()), limits)
        features = self.heads.box_head(_pooled(pyramid, regions, self.heads.box_roi_pool))
        logits, relative = self.heads.box_predictor(features)
        found = self.heads.box_coder.decode_single(relative, regions)[:, 4 * OBJECT : 4 * OBJECT + 4]
        boxes = _within(found, limits)
        scores = _scored(functional.softmax(logits, dim=-1)[:, OBJECT], boxes, NARROWEST_OBJECT_PX)
        kept = Suppression.apply(
            boxes, scores, self.heads.detections_per_img, self.heads.nms_thresh, self.heads.score_thresh
        )
        boxes, scores = boxes[kept], scores[kept]
        # One more than there are, which is dropped again: not every step takes no object at all.
        with_one_more = torch.cat([boxes, torch.tensor([[0.0, 0.0, 1.0, 1.0]]).to(boxes)])
        drawn = self.heads.mask_head(_pooled(pyramid, with_one_more, self.heads.mask_roi_pool))
        masks = torch.sigmoid(self.heads.mask_predictor(drawn)[:-1, OBJECT])
        return boxes[:, [1, 0, 3, 2]], scores, masks

    def _regions(self, levels: list[Tensor], limits: Tensor) -> Tensor:
        """Return the regions that are looked at more closely, (regions, 4), the surest first."""
        logits, relative = self.rpn.head(levels)
        most = self.rpn.pre_nms_top_n()
        boxes, scores, apart = [], [], []
        for place, anchors in enumerate(self._anchors(levels)):
            # (1, ratios, Y, X) and (1, ratios * 4, Y, X) to one row an anchor, the ratios of a pixel together
            sure = logits[place][0].permute(1, 2, 0).reshape(-1)
            moved = relative[place].unflatten(1, (-1, 4))[0].permute(2, 3, 0, 1).reshape(-1, 4)
            sure, moved, anchors = (
                torch.cat([part, filler])
                for part, filler in (
                    (sure, torch.full((most,), NEVER).to(sure)),
                    (moved, torch.zeros(most, 4).to(moved)),
                    (anchors, torch.zeros(most, 4).to(anchors)),
                )
            )
            top, index = sure.topk(most)
            found = _within(self.rpn.box_coder.decode_single(moved[index], anchors[index]), limits)
            boxes.append(found)
            scores.append(_scored(torch.sigmoid(top), found, NARROWEST_REGION_PX))
            apart.append(found + place * (limits.max() + 1))  # so that only boxes of one level overlap
        joined, score = torch.cat(boxes), torch.cat(scores)
        kept = Suppression.apply(torch.cat(apart), score, self.rpn.post_nms_top_n(), self.rpn.nms_thresh, 0.0)
        return joined[kept]

    def _anchors(self, levels: list[Tensor]) -> list[Tensor]:
        """Return the anchors of each level, (anchors, 4)."""
        found = []
        for level, stride, cell in zip(levels, STRIDES_PX, self.rpn.anchor_generator.cell_anchors, strict=True):
            rows = torch.arange(level.shape[2]).to(level) * stride
            columns = torch.arange(level.shape[3]).to(level) * stride
            y, x = torch.meshgrid(rows, columns, indexing="ij")
            shifts = torch.stack([x, y, x, y], dim=-1).reshape(-1, 1, 4)
            found.append((shifts + cell.to(level)).reshape(-1, 4))
        return found


def three_channels(image: Tensor) -> Tensor:
    """Return an image (N, C, Y, X) with three channels: a gray one three times.

    Examples
    --------
    >>> three_channels(torch.zeros(1, 1, 8, 8)).shape
    torch.Size([1, 3, 8, 8])
    """
    return torch.cat([image] * 3, dim=1) if image.shape[1] == 1 else image


def _within(boxes: Tensor, limits: Tensor) -> Tensor:
    """Cut boxes (n, 4) at the image's edges."""
    return torch.minimum(boxes.clamp(min=0), limits)


def _scored(scores: Tensor, boxes: Tensor, narrowest: float) -> Tensor:
    """Return scores (n,), 0 for boxes that are too narrow."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return torch.where(sides.amin(dim=1) >= narrowest, scores, torch.zeros_like(scores))


def _pooled(pyramid: Mapping[str, Tensor], boxes: Tensor, pooling: RegionPooling) -> Tensor:
    """Return the features of the regions (n, 4) of one image, (n, C, side, side)."""
    return RegionAlign.apply(*joined_levels(pyramid, boxes), pooling.output_size[0], pooling.sampling_ratio)


class RegionAlign(torch.autograd.Function):
    """Pooling of the regions of one image that becomes one operator of ONNX.

    torchvision computes the number of the image from the regions, which nobody can check before the network runs.
    """

    @staticmethod
    def forward(ctx: Any, levels: Tensor, boxes: Tensor, side: int, samples: int) -> Tensor:
        """Return the features (n, C, side, side) of boxes (n, 4) in a map (1, C, Y, X)."""
        return roi_align(levels, [boxes], side, sampling_ratio=samples)

    @staticmethod
    def symbolic(g: Any, levels: Any, boxes: Any, side: int, samples: int) -> Any:
        """Write the operator: all regions are of image 0."""
        first, second = (g.op("Constant", value_t=torch.tensor([end])) for end in (0, 1))
        number = g.op("Slice", g.op("Shape", boxes), first, second)
        images = g.op("ConstantOfShape", number, value_t=torch.tensor([0]))
        return g.op(
            "RoiAlign",
            levels,
            boxes,
            images,
            coordinate_transformation_mode_s="output_half_pixel",
            output_height_i=side,
            output_width_i=side,
            sampling_ratio_i=samples,
            spatial_scale_f=1.0,
        )


class Suppression(torch.autograd.Function):
    """Non-maximum suppression that becomes one operator of ONNX, with all its limits."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, most: int, overlap: float, lowest: float) -> Tensor:
        """Return which boxes are kept, (kept,), int64, the surest first.

        Parameters
        ----------
        boxes : Tensor of shape (n, 4)
            Two opposite corners each.
        scores : Tensor of shape (n,)
        most : int
            How many are kept at most.
        overlap : float
            Of two boxes with a larger intersection over union, the less sure one is dropped.
        lowest : float
            Boxes are dropped whose score is not larger.
        """
        sure = torch.where(scores > lowest)[0]
        return sure[nms(boxes[sure], scores[sure], overlap)][:most]

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, most: int, overlap: float, lowest: float) -> Any:
        """Write the operator: its result has a row for each kept box, whose third number is the box."""
        numbers = [torch.tensor([most])] + [torch.tensor([each], dtype=torch.float32) for each in (overlap, lowest)]
        first, both = (g.op("Constant", value_t=torch.tensor(axes)) for axes in ([0], [0, 1]))
        rows = g.op(
            "NonMaxSuppression",
            g.op("Unsqueeze", boxes, first),
            g.op("Unsqueeze", scores, both),
            *(g.op("Constant", value_t=each) for each in numbers),
        )
        third = g.op("Constant", value_t=torch.tensor(2))
        return g.op("Gather", rows, third, axis_i=1)
