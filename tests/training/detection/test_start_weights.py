import pickle
from pathlib import Path

import pytest
import torch

from cpunet.errors import WeightsError
from tests.detection import NEEDS_TORCHVISION, SMALL_DETECTOR

pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)

from safetensors.torch import save_file
from torchvision.models import resnet18
from torchvision.models.detection import maskrcnn_resnet50_fpn

from cpunet.training.detection.config import Detector
from cpunet.training.detection.network import build_detector
from cpunet.training.detection.start_weights import read_start_weights, take_weights

FILE = Path("start.pth")


def build(**values):
    torch.manual_seed(0)
    return build_detector(Detector(**{**SMALL_DETECTOR, **values}))


def randomized(network):
    """Weights in which no two tensors are equal."""
    return {name: torch.randn_like(value.float()).to(value.dtype) for name, value in network.state_dict().items()}


def test_a_resnet_becomes_the_backbone_with_its_statistics():
    weights, network = randomized(resnet18()), build(normalization_layers="frozen_batch")
    start = take_weights(network, weights, FILE)
    body = network.backbone.body.state_dict()
    assert body.keys() <= weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in body.items())
    assert len(start.taken) == len(body)
    assert start.unused == ()
    assert str(start).startswith("a ResNet: 100 tensors taken; starting at random: backbone.fpn (16), rpn.head (6)")


def test_group_normalization_takes_scale_and_offset_and_not_the_statistics():
    weights, network = randomized(resnet18()), build()
    start = take_weights(network, weights, FILE)
    assert torch.equal(network.backbone.body.bn1.bias, weights["bn1.bias"])
    assert {name.rsplit(".", 1)[-1] for name in start.unused} == {"running_mean", "running_var"}
    assert "not used: backbone.body (40)" in str(start)


@pytest.fixture(scope="module")
def detector_of_91_classes():
    """torchvision's Mask R-CNN for photographs."""
    return randomized(maskrcnn_resnet50_fpn(weights=None, weights_backbone=None))


LIKE_TORCHVISION = {"backbone": "resnet50", "normalization_layers": "frozen_batch", "mask_channels": 256}


def test_a_detector_of_photographs_gives_all_but_its_last_layers(detector_of_91_classes):
    network = build(**LIKE_TORCHVISION)
    start = take_weights(network, detector_of_91_classes, FILE)
    assert {name.rsplit(".", 1)[0] for name in start.random} == {
        "roi_heads.box_predictor.cls_score",
        "roi_heads.box_predictor.bbox_pred",
        "roi_heads.mask_predictor.mask_fcn_logits",
    }
    own = network.state_dict()
    assert all(torch.equal(own[name], detector_of_91_classes[name]) for name in start.taken)
    assert len(start.taken) + 6 == len(own)


def test_names_of_earlier_torchvision_are_understood(detector_of_91_classes):
    earlier = {}
    for name, value in detector_of_91_classes.items():
        parts = name.split(".")
        if name.startswith(("backbone.fpn.", "rpn.head.conv.")):
            name = ".".join(part for place, part in enumerate(parts) if part != "0" or (place == 3 and "fpn" in name))
        elif name.startswith("roi_heads.mask_head."):
            name = f"roi_heads.mask_head.mask_fcn{int(parts[2]) + 1}.{parts[-1]}"
        earlier[name] = value
    assert {"backbone.fpn.inner_blocks.0.weight", "rpn.head.conv.weight", "roi_heads.mask_head.mask_fcn1.bias"} <= set(
        earlier
    )
    start = take_weights(build(**LIKE_TORCHVISION), earlier, FILE)
    assert len(start.random) == 6
    assert all(name.startswith(("roi_heads.box_predictor", "roi_heads.mask_predictor")) for name in start.random)


def test_weights_of_our_own_run_are_taken_whole():
    before, network = randomized(build()), build()
    start = take_weights(network, before, FILE)
    assert (start.random, start.unused) == ((), ())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_another_backbone_and_other_weights_are_refused_with_names_and_sizes(detector_of_91_classes):
    with pytest.raises(
        WeightsError, match=r"start\.pth: \d+ tensors have another shape .*conv1\.weight \(64x64x1x1 in"
    ):
        take_weights(build(), detector_of_91_classes, FILE)
    with pytest.raises(WeightsError, match=r"mask_fcn|mask_head\.0\.0\.weight \(256x256x3x3 in the file, 32x256x3x3"):
        take_weights(build(**{**LIKE_TORCHVISION, "mask_channels": 32}), detector_of_91_classes, FILE)
    with pytest.raises(WeightsError, match=r"nothing in it fits the backbone; its tensors are called head\.weight"):
        take_weights(build(), {"head.weight": torch.zeros(3)}, FILE)


@pytest.mark.parametrize("wrap", [lambda weights: weights, lambda weights: {"model": weights, "epoch": 7}])
def test_files_are_read_as_torch_and_as_safetensors_write_them(tmp_path, wrap):
    weights = {"conv1.weight": torch.arange(4.0)}
    torch.save(wrap(weights), tmp_path / "a.pth")
    save_file(weights, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        assert torch.equal(read_start_weights(tmp_path / name)["conv1.weight"], weights["conv1.weight"])


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_a_file_that_would_run_code_or_holds_no_weights_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Bomb()}, "bomb.pth")
    Path("plain.pth").write_bytes(pickle.dumps(Bomb()))
    Path("text.safetensors").write_text("no tensors")
    for name in ("bomb.pth", "plain.pth", "text.safetensors"):
        with pytest.raises(WeightsError, match="this is no file of weights alone"):
            read_start_weights(Path(name))
    assert not Path("exploded").exists()
    torch.save({"steps": 3}, "numbers.pth")
    with pytest.raises(WeightsError, match="this holds no tensors by name"):
        read_start_weights(Path("numbers.pth"))
    with pytest.raises(WeightsError, match="Download the weights yourself"):
        read_start_weights(Path("missing.pth"))
