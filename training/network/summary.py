"""What a network costs and sees: trainable parameters, multiply-accumulates, receptive field, training memory."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from cpunet.training.network.encoders.choose import PUBLISHED
from cpunet.training.network.unet import UNet

# Sums of shortcuts grow up to a million times as large.
SMALL_VALUE = 1e-9


@dataclass(frozen=True)
class NetworkSummary:
    """What a network costs and sees.

    Attributes
    ----------
    patch_size : int
        Height and width of the patch that the costs are for, pixels.
    parameters : int
        Trainable parameters.
    macs_per_patch : int
        Multiply-accumulates of all convolutions for one patch; a FLOP count is twice as large.
    receptive_field_px : int
        Height and width of the largest piece of an image that one output pixel can depend on.
    activation_bytes_per_patch : int
        What a training step keeps of each patch for the backward pass.
    """

    patch_size: int
    parameters: int
    macs_per_patch: int
    receptive_field_px: int
    activation_bytes_per_patch: int

    def __str__(self) -> str:
        macs, size = self.macs_per_patch, self.patch_size
        return (
            f"{in_short(self.parameters)} parameters, {in_short(macs)} multiply-accumulates for a patch of "
            f"{size}x{size} ({in_short(macs / size**2)} a pixel), receptive field {self.receptive_field_px} pixels, "
            f"{in_short(self.activation_bytes_per_patch, 'B')} of memory a patch in training"
        )


def summarize(network: UNet, patch_size: int, precision: str = "32-true") -> NetworkSummary:
    """Count and measure a network, which stays as it is, and so does the state of torch's random numbers.

    Parameters
    ----------
    network : UNet
    patch_size : int
        Height and width of a patch, pixels; a multiple of the architecture's divisible_by.
    precision : str
        lightning's word: with ``bf16-mixed`` or ``16-mixed`` most of the memory holds 16-bit numbers.
    """
    with torch.random.fork_rng(devices=[]):
        return NetworkSummary(
            patch_size=patch_size,
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            macs_per_patch=count_macs(network, patch_size),
            receptive_field_px=measure_receptive_field(network),
            activation_bytes_per_patch=measure_activation_bytes(network, patch_size, precision),
        )


def count_macs(network: UNet, patch_size: int) -> int:
    """Count the multiply-accumulates of the convolutions for a patch of `patch_size` pixels, without computing any."""
    shapes_only = deepcopy(network).to("meta")
    with FlopCounterMode(display=False) as counter:
        shapes_only(torch.empty(1, network.in_channels, patch_size, patch_size, device="meta"))
    return counter.get_total_flops() // 2


def measure_receptive_field(network: UNet) -> int:
    """Measure the receptive field, in pixels along an axis; the largest of any output pixel, since pooling shifts it.

    Notes
    -----
    The gradient of an output pixel shows which pixels of the image it depends on (Luo et al.: effective receptive
    field, NIPS 2016, doi:10.48550/arXiv.1701.04128). It is taken in a network of the same architecture in which

    1. all weights are equal, so that no path cancels another;
    2. mean pooling replaces maximum pooling, so that no path is hidden;
    3. each level has one feature, or as few as its blocks can have, since their number does not matter;
    4. values are so small that no ReLU6 is at its upper end.
    """
    lean = replace(network.architecture, base_channels=1, max_channels=1, batch_normalization=False, dropout=0.0)
    thin = PUBLISHED[lean.encoder].with_one_feature() if lean.encoder in PUBLISHED else None
    probe = UNet(lean, 1, 1, thin).double().eval()
    for module in list(probe.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    with torch.no_grad():
        for weight in probe.parameters():
            weight.fill_(1 / weight[0].numel() if weight.ndim > 1 else 0.0)
    length = 8 * lean.divisible_by
    while (found := _widest_gradient(probe, length)) is None:
        length *= 2
    return found


def _widest_gradient(probe: UNet, length: int) -> int | None:
    """Return the longest column of pixels that one output pixel depends on, or None if an image cuts it off."""
    shape = (1, 1, length, probe.architecture.min_size)
    image = torch.full(shape, SMALL_VALUE, dtype=torch.double, requires_grad=True)
    output = probe(image)
    widest = 0
    for row in range(length // 2, length // 2 + probe.architecture.divisible_by):
        (gradient,) = torch.autograd.grad(output[0, 0, row, 0], image, retain_graph=True)
        rows = torch.nonzero(gradient.sum(dim=(0, 1, 3))).flatten()
        first, last = int(rows[0]), int(rows[-1])
        if first == 0 or last == length - 1:
            return None
        widest = max(widest, last - first + 1)
    return widest


def measure_activation_bytes(network: UNet, patch_size: int, precision: str = "32-true") -> int:
    """Measure how many bytes a training step on a CPU keeps of each patch for the backward pass.

    Notes
    -----
    Not included are weights, their gradients and the optimizer's state, which do not grow with the batch; and the loss
    and the gradients of activations, which do. At its peak, a step of the default network took 1.2 (32-bit) to 1.4
    (16-bit) times as much a patch, one with the stem ``half`` 1.5 times.
    """
    copy = deepcopy(network).cpu().train()
    size = 2 * network.architecture.min_size
    shape = network.in_channels, size, size
    small = kept_bytes(copy, (2, *shape), precision) - kept_bytes(copy, (1, *shape), precision)
    return round(small * (patch_size / size) ** 2)


def kept_bytes(network: nn.Module, shape: tuple[int, ...], precision: str) -> int:
    """Return how many bytes a network keeps of a batch of this shape for the backward pass."""
    kept: dict[int, Tensor] = {}  # holding the tensors keeps their addresses from being given to others

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    image = torch.rand(shape)
    mixed = precision != "32-true"
    with saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        network(image)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def in_short(number: float, unit: str = "") -> str:
    """Write a number with three digits and k, M or G before its unit."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor / 10:
            return f"{number / factor:.3g} {letter}{unit}"
    return f"{number:.0f} {unit}".rstrip()
