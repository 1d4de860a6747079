"""What the tests of Mask R-CNN have in common."""

NEEDS_TORCHVISION = "needs torchvision: make detection"
# The smallest network, and a training of seconds.
SMALL_DETECTOR = {
    "backbone": "resnet18",
    "mask_channels": 32,
    "proposals": 60,
    "proposals_before_suppression": 50,
    "sampled_anchors": 64,
    "sampled_proposals": 32,
    "max_objects": 40,
}
SMALL_DETECTION = {
    "name": "boxes",
    "description": "Mask R-CNN of drawn nuclei.",
    "licence": "CC0-1.0",
    "data": [{"folder": "drawn", "modalities": ["fluorescence"]}],
    "detector": SMALL_DETECTOR,
    "patch_size": 64,
    "batch_size": 2,
    "steps": 4,
    "validate_every": 2,
    "validation_images": 1,
    "precision": "32-true",
    "workers": 0,
    "seed": 3,
}


def loud_detector(**values):
    """A detector of random weights that finds something: its heads are louder than a new one's."""
    import torch

    from cpunet.training.detection.config import Detector
    from cpunet.training.detection.network import build_detector

    torch.manual_seed(0)
    network = build_detector(Detector(**{**SMALL_DETECTOR, **values}))
    for _ in range(3):
        network.backbone(torch.rand(2, 3, 64, 64))  # gives batch normalization means and variances of its own
    network.eval()
    for layer in (network.rpn.head.cls_logits, network.rpn.head.bbox_pred, network.roi_heads.box_predictor.bbox_pred):
        torch.nn.init.normal_(layer.weight, std=0.05)
    torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight, std=0.3)
    return network
