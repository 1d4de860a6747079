import pytest
import torch
from torch import nn

from tests.detection import NEEDS_TORCHVISION, SMALL_DETECTOR

pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)

from torchvision.models import resnet18, resnet34, resnet50
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FrozenBatchNorm2d

from cpunet.training.detection.config import Detector
from cpunet.training.detection.network import PyramidAnchors, build_detector


def build(**values):
    torch.manual_seed(0)
    return build_detector(Detector(**{**SMALL_DETECTOR, **values}))


def objects(*boxes, size=64):
    masks = torch.zeros(len(boxes), size, size, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = 1
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.ones(len(boxes), dtype=torch.int64),
        "masks": masks,
    }


def body_names(network):
    return {name for name, _ in network.named_parameters() if name.startswith("backbone.body.")}


@pytest.mark.parametrize(("name", "whole"), [("resnet18", resnet18), ("resnet34", resnet34), ("resnet50", resnet50)])
def test_the_backbone_is_the_resnet_of_its_name(name, whole):
    expected = {f"backbone.body.{key}" for key in dict(whole().named_parameters()) if not key.startswith("fc.")}
    assert body_names(build(backbone=name)) == expected


def test_normalization_layers_are_those_that_were_chosen_and_trained_unless_frozen():
    kinds = {"group": nn.GroupNorm, "batch": nn.BatchNorm2d, "frozen_batch": FrozenBatchNorm2d}
    for name, kind in kinds.items():
        network = build(normalization_layers=name)
        found = {type(layer) for layer in network.modules() if type(layer) in kinds.values()}
        assert found == {kind}
        in_heads = any(isinstance(layer, kind) for layer in network.roi_heads.mask_head.modules())
        assert in_heads == (name == "group")
        weight = network.backbone.body.bn1.weight
        assert isinstance(weight, nn.Parameter) == (name != "frozen_batch")


def test_each_part_is_trained_and_the_losses_are_finite_with_and_without_objects():
    network = build().train()
    images = [torch.rand(3, 64, 64), torch.rand(3, 64, 64)]
    losses = network(images, [objects((4, 6, 24, 22), (30, 30, 50, 55)), objects()])
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"}
    assert all(torch.isfinite(value) for value in losses.values())
    sum(losses.values()).backward()
    silent = [name for name, value in network.named_parameters() if value.grad is None]
    assert not silent


def test_in_half_precision_boxes_stay_exact():
    network = build().eval()
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        (found,) = network([torch.rand(3, 96, 96)])
        logits, boxes = network.rpn.head([torch.rand(1, 256, 8, 8)])
    assert {found["boxes"].dtype, logits[0].dtype, boxes[0].dtype} == {torch.float32}


def test_anchors_lie_at_the_strides_whatever_the_size_of_the_image():
    anchors = PyramidAnchors(((16,), (32,), (64,), (128,), (256,)), ((1.0,),) * 5)
    sizes = [(25, 30), (13, 15), (7, 8), (4, 4), (2, 2)]  # of an image of 100 x 120 pixels
    levels = [torch.zeros(1, 2, *size, dtype=torch.bfloat16) for size in sizes]
    (found,) = anchors(ImageList(torch.zeros(1, 3, 100, 120), [(100, 120)]), levels)
    assert found.dtype == torch.float32
    second = found[25 * 30 : 25 * 30 + 13 * 15]
    assert second[:2].tolist() == [[-16, -16, 16, 16], [-8, -16, 24, 16]]  # 8 pixels apart, and not 100 // 13
    assert second[-1].tolist() == [8 * 14 - 16, 8 * 12 - 16, 8 * 14 + 16, 8 * 12 + 16]


@pytest.mark.parametrize(
    ("values", "of"),
    [
        ({"anchor_px": (8.0, 16.0, 32.0, 64.0, 128.0)}, lambda net: net.rpn.anchor_generator.sizes[0]),
        ({"aspect_ratios": (1.0,)}, lambda net: net.rpn.head.cls_logits.out_channels),
        ({"mask_channels": 64}, lambda net: net.roi_heads.mask_predictor.conv5_mask.in_channels),
        ({"proposals": 7}, lambda net: net.eval().rpn.post_nms_top_n()),
        ({"proposals_before_suppression": 9}, lambda net: net.eval().rpn.pre_nms_top_n()),
        ({"sampled_anchors": 16}, lambda net: net.rpn.fg_bg_sampler.batch_size_per_image),
        ({"sampled_proposals": 16}, lambda net: net.roi_heads.fg_bg_sampler.batch_size_per_image),
        ({"max_objects": 3}, lambda net: net.roi_heads.detections_per_img),
        ({"overlap_threshold": 0.3}, lambda net: net.roi_heads.nms_thresh),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_option_changes_what_it_names(values, of):
    expected = {
        "anchor_px": (8.0,),
        "aspect_ratios": 1,
        "mask_channels": 64,
        "proposals": 7,
        "proposals_before_suppression": 9,
        "sampled_anchors": 16,
        "sampled_proposals": 16,
        "max_objects": 3,
        "overlap_threshold": 0.3,
    }
    ((name, _),) = values.items()
    assert of(build(**values)) == expected[name] != of(build())
