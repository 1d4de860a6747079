"""What torch's exporters write for the usual kinds of U-Nets is let through, and its sizes are followed rightly."""

import io
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional

from cpunet.onnx_reader.bounds import follow
from cpunet.onnx_reader.safety import _network, check_stream


def block(given, made, norm):
    return nn.Sequential(nn.Conv2d(given, made, 3, padding=1), norm(made), nn.LeakyReLU(0.1))


class UNet(nn.Module):
    """Two levels; enlarges in one of the usual ways, and pads where a skip connection is larger."""

    def __init__(self, enlarge, norm=nn.BatchNorm2d, activation=torch.sigmoid, pads=False):
        super().__init__()
        self.down, self.bottom, self.up = block(1, 8, norm), block(8, 16, norm), block(16, 8, norm)
        self.head = nn.Conv2d(8, 3, 1)
        self.activation, self.pads = activation, pads
        self.enlarge = {
            "transpose": nn.ConvTranspose2d(16, 8, 2, 2),
            "nearest": nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(16, 8, 1)),
            "bilinear": nn.Sequential(nn.UpsamplingBilinear2d(scale_factor=2), nn.Conv2d(16, 8, 1)),
            "shuffle": nn.Sequential(nn.Conv2d(16, 32, 1), nn.PixelShuffle(2)),
            "size": nn.Conv2d(16, 8, 1),
        }[enlarge]
        self.to_size = enlarge == "size"

    def forward(self, image):
        skip = self.down(image)
        low = self.enlarge(self.bottom(functional.max_pool2d(skip, 2)))
        if self.to_size:
            low = functional.interpolate(low, size=skip.shape[2:], mode="bilinear", align_corners=False)
        if self.pads:
            rows, columns = skip.shape[2] - low.shape[2], skip.shape[3] - low.shape[3]
            low = functional.pad(low, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])
        return self.activation(self.head(self.up(torch.cat([skip, low], 1))))


class WithAttention(nn.Module):
    """Patches that look at each other, squeeze and excitation, and the less usual activations."""

    def __init__(self):
        super().__init__()
        self.patches, self.norm, self.qkv = nn.Conv2d(1, 16, 8, 8), nn.LayerNorm(16), nn.Linear(16, 48)
        self.excite = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 16, 1), nn.Hardsigmoid())
        self.back = nn.ConvTranspose2d(16, 1, 8, 8)

    def forward(self, image):
        low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
        patches = self.patches((image - low) / (high - low + 1e-6))
        count, channels, rows, columns = patches.shape
        query, key, value = self.qkv(self.norm(patches.flatten(2).transpose(1, 2))).chunk(3, -1)
        mixed = torch.softmax(query @ key.transpose(1, 2) / channels**0.5, -1) @ value
        mixed = functional.gelu(mixed.transpose(1, 2).reshape(count, channels, rows, columns))
        return torch.sigmoid(self.back(functional.silu(mixed * self.excite(mixed))))


NETWORKS = {
    "transpose": lambda: UNet("transpose"),
    "nearest": lambda: UNet("nearest", activation=lambda logits: torch.softmax(logits, 1)),
    "bilinear": lambda: UNet("bilinear", lambda channels: nn.InstanceNorm2d(channels, affine=True)),
    "shuffle": lambda: UNet("shuffle", nn.InstanceNorm2d),
    "to the size of another": lambda: UNet("size", lambda channels: nn.GroupNorm(4, channels)),
    "padded": lambda: UNet("transpose", pads=True),
    "attention": WithAttention,
}


def exported(network, opset, dynamo):
    buffer, image = io.BytesIO(), torch.rand(1, 1, 32, 32)
    if dynamo:
        free = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
        sizes = {"dynamic_shapes": (free,)}
    else:
        free = {0: "N", 2: "Y", 3: "X"}
        sizes = {"dynamic_axes": {"x": free, "y": free}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (image,),
            buffer,
            opset_version=opset,
            input_names=["x"],
            output_names=["y"],
            dynamo=dynamo,
            **sizes,
        )
    return buffer.getvalue()


def is_followed(content):
    check_stream(io.BytesIO(content))
    network = _network(io.BytesIO(content))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for shape in ((1, 1, 32, 32), (1, 1, 64, 40)):
        (found,) = session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)})
        if follow(network, shape).values[network.outputs[0].name].shape != found.shape:
            return False
    return True


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_what_the_tracing_exporter_writes_is_let_through(network, opset):
    assert is_followed(exported(network(), opset, dynamo=False))


@pytest.mark.parametrize("name", ["padded", "attention"])
def test_what_the_newer_exporter_writes_is_let_through(name):
    pytest.importorskip("onnxscript")
    assert is_followed(exported(NETWORKS[name](), 18, dynamo=True))
