import pytest
import torch

from tests.detection import NEEDS_TORCHVISION

pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)

from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from cpunet.training.detection.roi_pooling import RegionPooling, level_of


def pyramid_of(height, width, number=1):
    generator = torch.Generator().manual_seed(height)
    sizes = {str(place): [-(-side // (4 * 2**place)) for side in (height, width)] for place in range(4)}
    return {name: torch.randn(number, 3, *size, generator=generator) for name, size in sizes.items()}


def boxes_in(height, width, number, seed):
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(number, 2, generator=generator) * torch.tensor([width - 8.0, height - 8.0])
    sides = 4 + torch.rand(number, 2, generator=generator) ** 2 * torch.tensor([width, height])
    found = torch.cat([low, torch.minimum(low + sides, torch.tensor([float(width), height]))], dim=1)
    return torch.cat([found, torch.tensor([[0.0, 0, width, height]])])


@pytest.mark.parametrize("size", [(512, 640), (500, 631), (64, 900)])
@pytest.mark.parametrize("side", [7, 14])
def test_regions_are_pooled_as_torchvision_pools_them(size, side):
    pyramid, boxes = pyramid_of(*size, number=2), [boxes_in(*size, 40, seed) for seed in (0, 1)]
    assert len(set(level_of(torch.cat(boxes)).tolist())) == (4 if size[0] > 64 else 3)  # none of them idle
    expected = MultiScaleRoIAlign(["0", "1", "2", "3"], side, 2)(pyramid, boxes, [size] * 2)
    torch.testing.assert_close(RegionPooling(side)(pyramid, boxes, None), expected, rtol=1e-4, atol=1e-4)


def test_no_region_gives_no_features():
    assert RegionPooling(7)(pyramid_of(64, 64), [torch.zeros(0, 4)], None).shape == (0, 3, 7, 7)


def test_levels_are_chosen_as_torchvision_chooses_them():
    sides = torch.tensor([1.0, 55.9, 56, 111.9, 112, 113, 223.9, 224, 447.9, 448, 2000])
    boxes = torch.stack([torch.zeros_like(sides)] * 2 + [sides] * 2, dim=1)
    assert level_of(boxes).tolist() == LevelMapper(2, 5)([boxes]).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
