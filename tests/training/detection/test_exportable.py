import pytest
import torch

from tests.detection import NEEDS_TORCHVISION, loud_detector

pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)

from cpunet.training.detection.exportable import ExportableDetector

SIZES = [(96, 96), (64, 160), (101, 83), (200, 256)]


@pytest.fixture
def small_detector():
    return loud_detector()


def image_of(size, channels=3):
    return torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(size[0]))


def raw_masks(network, image, boxes):
    """The masks of torchvision before they are pasted into the image."""
    with torch.inference_mode():
        pyramid = network.backbone(network.transform([image[0]])[0].tensors)
        heads = network.roi_heads
        drawn = heads.mask_predictor(heads.mask_head(heads.mask_roi_pool(pyramid, [boxes], [image.shape[2:]])))
    return torch.sigmoid(drawn[:, 1])


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_it_finds_what_torchvision_finds(small_detector, size):
    image = image_of(size)
    with torch.inference_mode():
        (expected,) = small_detector([image[0]])
        boxes, scores, masks = ExportableDetector(small_detector)(image)
    assert 5 < len(scores) <= 40
    torch.testing.assert_close(boxes[:, [1, 0, 3, 2]], expected["boxes"], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(scores, expected["scores"], rtol=1e-4, atol=1e-5)
    assert masks.shape == (len(scores), 28, 28)
    torch.testing.assert_close(masks, raw_masks(small_detector, image, expected["boxes"]), rtol=1e-3, atol=1e-4)


def test_no_sure_object_gives_empty_results(small_detector):
    small_detector.roi_heads.box_predictor.cls_score.bias.data = torch.tensor([50.0, 0.0])
    with torch.inference_mode():
        found = ExportableDetector(small_detector)(image_of((64, 64)))
    assert [each.shape for each in found] == [(0, 4), (0,), (0, 28, 28)]


def test_a_gray_image_is_seen_as_three_equal_channels(small_detector):
    gray = image_of((96, 96), channels=1)
    with torch.inference_mode():
        of_gray, of_color = (ExportableDetector(small_detector)(each) for each in (gray, gray.repeat(1, 3, 1, 1)))
    assert all(torch.equal(one, other) for one, other in zip(of_gray, of_color, strict=True))
