import pytest
import torch
from torch import nn

from cpunet.training.volumes.network import VolumeArchitecture, VolumeUNet, flat_levels_for, summarize_volumes


def network(**fields):
    torch.manual_seed(0)
    return VolumeUNet(VolumeArchitecture(base_channels=4, max_channels=8, **fields), 1, 3).eval()


@pytest.mark.parametrize(
    ("flat", "planes"), [(0, 8), (1, 4), (2, 2), (3, 1)], ids=["isotropic", "one", "two", "all levels but the deepest"]
)
def test_planes_are_halved_at_the_levels_that_are_not_flat(flat, planes):
    unet = network(depth=3, flat_levels=flat)
    assert unet.architecture.divisible_by_planes == planes
    assert unet(torch.rand(2, 1, planes, 16, 24)).shape == (2, 3, planes, 16, 24)


def test_flat_levels_see_single_planes():
    """With all levels flat but the deepest, the finest convolutions never mix planes."""
    unet = network(depth=2, flat_levels=1)
    kernels = [module.kernel_size for module in unet.encoder[0] if isinstance(module, nn.Conv3d)]
    assert kernels == [(1, 3, 3)] * 2
    assert {module.kernel_size for module in unet.encoder[1] if isinstance(module, nn.Conv3d)} == {(3, 3, 3)}
    assert [pool.kernel_size for pool in unet.pools] == [(1, 2, 2), (2, 2, 2)]


def test_levels_are_chosen_until_a_voxel_is_about_isotropic():
    assert [flat_levels_for(step, 3) for step in (0.5, 1, 2, 2.01, 4, 4.01, 100)] == [0, 0, 0, 1, 1, 2, 3]


def test_levels_must_be_chosen_first():
    with pytest.raises(ValueError, match="must be chosen"):
        network(depth=2, flat_levels=-1)


@pytest.mark.parametrize(("depth", "flat"), [(1, 0), (2, 0), (2, 1)])
def test_the_receptive_field_holds_all_that_a_voxel_depends_on(depth, flat):
    unet = network(depth=depth, flat_levels=flat, batch_normalization=False).double()
    pooled = [nn.AvgPool3d(pool.kernel_size) for pool in unet.pools]  # maximum pooling hides paths
    unet.pools = nn.ModuleList(pooled)
    with torch.no_grad():
        for weight in unet.parameters():
            weight.fill_(0.1 if weight.ndim > 1 else 0.0)
    planes, side = unet.architecture.receptive_field
    unit, unit_of_planes = unet.architecture.divisible_by, unet.architecture.divisible_by_planes
    shape = (-(-2 * planes // unit_of_planes) * unit_of_planes, -(-2 * side // unit) * unit, unit)
    volume = torch.ones(1, 1, *shape, dtype=torch.double, requires_grad=True)
    output = unet(volume)
    widest = [0, 0]
    for shift in range(unit):
        middle = (shape[0] // 2 + min(shift, unit_of_planes - 1), shape[1] // 2 + shift, 0)
        (gradient,) = torch.autograd.grad(output[(0, 0, *middle)], volume, retain_graph=True)
        for axis in range(2):
            others = tuple(each for each in range(5) if each != axis + 2)
            widest[axis] = max(widest[axis], int((gradient.abs().sum(dim=others) > 0).sum()))
    assert widest[0] <= planes
    assert widest[1] <= side
    assert widest[1] >= side - 2**depth  # and it is no gross overestimate


def test_normalization_follows_its_convolution():
    """Export folds the two into one."""
    for block in (*network(depth=2, flat_levels=0).encoder, *network(depth=2, flat_levels=0).decoder):
        kinds = [type(module).__name__ for module in block]
        assert kinds == ["Conv3d", "BatchNorm3d", "ReLU"] * (len(kinds) // 3)


def test_the_first_predictions_are_undecided():
    logits = network(depth=2, flat_levels=0)(torch.rand(1, 1, 8, 16, 16))
    assert logits.abs().max() < 0.5


def test_a_summary_counts_by_hand():
    unet = VolumeUNet(VolumeArchitecture(1, 1, 1, 0, batch_normalization=False), 1, 1)
    summary = summarize_volumes(unet, (4, 4, 4), "32-true")
    # encoder 27 + 27 at 64 voxels and at 8; up 8 inputs to 64 outputs; decoder 27 and head 1 at 64
    assert summary.macs_per_patch == 64 * 54 + 8 * 54 + 8 * 8 + 64 * 27 + 64
    assert summary.parameters == sum(parameter.numel() for parameter in unet.parameters())
    assert "4x4x4 voxels" in str(summary)
    assert summary.activation_bytes_per_patch > 4 * 64
