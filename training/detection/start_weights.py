"""Start Mask R-CNN from a file of weights: torchvision's detectors and ResNets, or those of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from cpunet.errors import WeightsError

BODY = "backbone.body."
# What a network of other classes has in other shapes: its last layers.
LAST_LAYERS = ("roi_heads.box_predictor.", "roi_heads.mask_predictor.mask_fcn_logits.")
# Names in files that torchvision wrote before its version 0.14, and what it calls them now.
EARLIER_NAMES = (
    (r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1"),
    (r"^backbone\.fpn\.(inner|layer)_blocks\.(\d)\.(weight|bias)$", r"backbone.fpn.\1_blocks.\2.0.\3"),
)
MASK_LAYER = re.compile(r"^roi_heads\.mask_head\.mask_fcn(\d)\.(weight|bias)$")
RESNET_LAYER = re.compile(r"^(conv1|bn1|layer[1-4])\.")
# Of an ImageNet classifier, what no detector has; and a count of batches that frozen batch normalization has not.
NOT_NEEDED = re.compile(r"^fc\.|num_batches_tracked$")
MOST_NAMED = 3


@dataclass(frozen=True)
class StartWeights:
    """Which weights a network got from a file.

    Attributes
    ----------
    kind : str
        What the file holds, such as ``a ResNet``.
    taken : tuple of str
        Names of the tensors with the file's values.
    random : tuple of str
        Names of the tensors that start at random.
    unused : tuple of str
        Names in the file of what the network has no place for.
    """

    kind: str
    taken: tuple[str, ...]
    random: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        """One line for the terminal."""
        lines = [f"{self.kind}: {len(self.taken)} tensors taken"]
        for what, names in (("starting at random", self.random), ("not used", self.unused)):
            if names:
                lines.append(f"{what}: {_parts(names)}")
        return "; ".join(lines)


def _parts(names: tuple[str, ...]) -> str:
    """Name the parts of a network that tensors belong to, each with their number."""
    parts: dict[str, int] = {}
    for name in names:
        part = ".".join(name.split(".")[:2])
        parts[part] = parts.get(part, 0) + 1
    return ", ".join(f"{part} ({number})" for part, number in parts.items())


def read_start_weights(path: Path) -> dict[str, Tensor]:
    """Read a file of weights without running code from it.

    Parameters
    ----------
    path : Path
        ``.safetensors``, or what ``torch.save`` wrote of a state dict, alone or under ``model`` or ``state_dict``.

    Returns
    -------
    dict of str to Tensor
        By the names of the file.

    Raises
    ------
    WeightsError
        If the file is missing, or holds anything but tensors by name.
    """
    if not path.is_file():
        raise WeightsError(
            f"start_from: {path}: there is no such file. Download the weights yourself, such as torchvision's "
            "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth, and give the path of the file."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader meets a broken file with almost any exception
        reason = re.split(r"\. |\n", str(error), maxsplit=1)[0].rstrip(".")
        raise WeightsError(
            f"start_from: {path}: this is no file of weights alone ({type(error).__name__}: {reason}). Give a state "
            "dict (torch.save(model.state_dict(), FILE)) or a .safetensors file."
        ) from None
    for key in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(isinstance(each, Tensor) for each in content.values()):
        raise WeightsError(
            f"start_from: {path}: this holds no tensors by name. Give a state dict (torch.save(model.state_dict(), "
            "FILE)) or a .safetensors file."
        )
    return content


def take_weights(network: MaskRCNN, weights: Mapping[str, Tensor], path: Path) -> StartWeights:
    """Copy into a network all weights of a file that fit.

    Parameters
    ----------
    network : MaskRCNN
        Changed in place.
    weights : mapping of str to Tensor
        From `read_start_weights`.
    path : Path
        Of the file, for messages.

    Returns
    -------
    StartWeights

    Raises
    ------
    WeightsError
        If no tensor of the backbone has a place, or one that must fit has another shape.

    Notes
    -----
    Names are those of torchvision's Mask R-CNN and Faster R-CNN, also as earlier versions wrote them, or those of a
    ResNet, which becomes the backbone. The last layers of another number of classes start at random. Where the network
    has group normalization and the file batch normalization, scale and offset are taken, and the statistics are not
    used.
    """
    renamed = {_name_here(name): value for name, value in weights.items() if not NOT_NEEDED.search(name)}
    own = network.state_dict()
    fitting = {name: value for name, value in renamed.items() if name in own and own[name].shape == value.shape}
    others = [name for name in renamed if name in own and name not in fitting]
    wrong = [name for name in others if not name.startswith(LAST_LAYERS)]
    if wrong:
        shown = ", ".join(
            f"{name} ({_size(renamed[name])} in the file, {_size(own[name])} in the network)"
            for name in wrong[:MOST_NAMED]
        )
        more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        raise WeightsError(
            f"start_from: {path}: {len(wrong)} tensors have another shape than the network's: {shown}{more}. Choose "
            "the backbone, the mask_channels and the aspect_ratios of the file under detector."
        )
    if not any(name.startswith(BODY) for name in fitting):
        there = ", ".join(list(weights)[:MOST_NAMED])
        raise WeightsError(
            f"start_from: {path}: nothing in it fits the backbone; its tensors are called {there}, ... Give weights "
            "of torchvision's Mask R-CNN, Faster R-CNN or ResNet."
        )
    for name, value in fitting.items():
        own[name].copy_(value)
    counts = tuple(name for name in own if name not in fitting and not name.endswith("num_batches_tracked"))
    unused = tuple(name for name in renamed if name not in own or name in others)
    kind = "a detector" if any(name.startswith("backbone.") for name in weights) else "a ResNet"
    return StartWeights(kind, tuple(fitting), counts, unused)


def _name_here(name: str) -> str:
    """Return what a tensor of a file is called in the network."""
    name = name.removeprefix("module.")
    if RESNET_LAYER.match(name):
        return BODY + name
    mask_layer = MASK_LAYER.match(name)
    if mask_layer:
        return f"roi_heads.mask_head.{int(mask_layer[1]) - 1}.0.{mask_layer[2]}"
    for earlier, now in EARLIER_NAMES:
        name = re.sub(earlier, now, name)
    return name


def _size(value: Tensor) -> str:
    return "x".join(map(str, value.shape))
