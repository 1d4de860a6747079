"""Mask R-CNN of torchvision, as a configuration describes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d

from cpunet.training.detection.config import LOWEST_SCORE, STRIDES_PX, Detector
from cpunet.training.detection.roi_pooling import RegionPooling

Objects = dict[str, Tensor] | None
GROUPS = 32
# Background and object.
CLASSES = 2
PYRAMID_CHANNELS, BOX_FEATURES = 256, 1024
BOX_SIDE, MASK_SIDE = 7, 14
STAGES = ("layer1", "layer2", "layer3", "layer4")


def build_detector(detector: Detector) -> MaskRCNN:
    """Build Mask R-CNN with random weights.

    Parameters
    ----------
    detector : Detector

    Returns
    -------
    MaskRCNN
        Takes images (3, Y, X), float32, about 0..1, of any size: they are normalized as those of ImageNet, and not
        scaled. Its boxes are x_low, y_low, x_high, y_high in pixels of the image.
    """
    anchors = PyramidAnchors(
        tuple((side,) for side in detector.anchor_px), (detector.aspect_ratios,) * len(detector.anchor_px)
    )
    heads_normalization = _group_norm if detector.normalization_layers == "group" else None
    network = MaskRCNN(
        _backbone(detector),
        rpn_anchor_generator=anchors,
        rpn_head=PreciseProposals(PYRAMID_CHANNELS, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=detector.proposals_before_suppression,
        rpn_pre_nms_top_n_test=detector.proposals_before_suppression,
        rpn_post_nms_top_n_train=detector.proposals,
        rpn_post_nms_top_n_test=detector.proposals,
        rpn_batch_size_per_image=detector.sampled_anchors,
        box_roi_pool=RegionPooling(BOX_SIDE),
        box_predictor=PreciseBoxes(BOX_FEATURES, CLASSES),
        box_score_thresh=LOWEST_SCORE,
        box_nms_thresh=detector.overlap_threshold,
        box_detections_per_img=detector.max_objects,
        box_batch_size_per_image=detector.sampled_proposals,
        mask_roi_pool=RegionPooling(MASK_SIDE),
        mask_head=MaskRCNNHeads(
            PYRAMID_CHANNELS, (detector.mask_channels,) * 4, dilation=1, norm_layer=heads_normalization
        ),
        mask_predictor=MaskRCNNPredictor(detector.mask_channels, detector.mask_channels, CLASSES),
    )
    network.transform = OriginalSize(
        network.transform.min_size,
        network.transform.max_size,
        network.transform.image_mean,
        network.transform.image_std,
        size_divisible=1,
    )
    return network


def _backbone(detector: Detector) -> BackboneWithFPN:
    layers: dict[str, Callable[[int], nn.Module]] = {
        "group": _group_norm,
        "batch": nn.BatchNorm2d,
        # torchvision's weights of detectors were trained with this epsilon.
        "frozen_batch": partial(FrozenBatchNorm2d, eps=0.0),
    }
    from_scratch = detector.normalization_layers == "group"
    build = getattr(resnet, detector.backbone)
    # A residual block that begins as the identity keeps a network trainable from random weights.
    body = build(weights=None, norm_layer=layers[detector.normalization_layers], zero_init_residual=from_scratch)
    finest = body.inplanes // 8
    return BackboneWithFPN(
        body,
        return_layers={stage: str(place) for place, stage in enumerate(STAGES)},
        in_channels_list=[finest * 2**place for place in range(len(STAGES))],
        out_channels=PYRAMID_CHANNELS,
        norm_layer=_group_norm if from_scratch else None,
    )


def _group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(GROUPS, channels)


class OriginalSize(GeneralizedRCNNTransform):
    """Normalization of images as those of ImageNet, which keeps their size."""

    def resize(self, image: Tensor, target: Objects = None) -> tuple[Tensor, Objects]:
        """Return the image and its objects as they are."""
        return image, target


class PyramidAnchors(AnchorGenerator):
    """Anchors at the distances of the pyramid's levels.

    torchvision divides the image's size by the level's, which is the distance only if the size is a multiple of the
    coarsest one. The anchors are float32 whatever the precision of the features: bfloat16 has no odd pixel above 256.
    """

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """Return the anchors (number, 4) of each image, as x_low, y_low, x_high, y_high in pixels."""
        self.set_cell_anchors(torch.float32, feature_maps[0].device)
        sizes = [list(level.shape[-2:]) for level in feature_maps]
        strides = [[torch.tensor(stride, device=feature_maps[0].device)] * 2 for stride in STRIDES_PX]
        anchors = torch.cat(self.grid_anchors(sizes, strides))
        return [anchors for _ in image_list.image_sizes]


class PreciseProposals(RPNHead):
    """The head that proposes regions; its results are float32, since boxes are computed of them."""

    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return logits and boxes relative to the anchors, by level."""
        logits, boxes = super().forward(x)
        return [each.float() for each in logits], [each.float() for each in boxes]


class PreciseBoxes(FastRCNNPredictor):
    """The last layer of the box head; its results are float32, since boxes are computed of them."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (regions, 2) and boxes relative to the regions (regions, 8)."""
        logits, boxes = super().forward(x)
        return logits.float(), boxes.float()
