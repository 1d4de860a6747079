"""What the description of a bioimage.io package says of the model's input and output, in the card's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bioimageio.spec.model.v0_5 import InputTensorDescr, ModelDescr, OutputTensorDescr, ParameterizedSize

from cpunet.errors import ModelError
from cpunet.export.bioimageio.steps import Preprocessing, Step, read_postprocessing, read_preprocessing
from cpunet.export.card.fields import with_field
from cpunet.model.card import ROLES

MICROMETERS = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3}


@dataclass(frozen=True)
class Contract:
    """What a package's description says of its input and output.

    Attributes
    ----------
    input : InputTensorDescr
    output : OutputTensorDescr
    known : dict
        The card's content as far as the description has it.
    preprocessing : Preprocessing
    postprocessing : tuple of Step
    """

    input: InputTensorDescr
    output: OutputTensorDescr
    known: dict[str, Any]
    preprocessing: Preprocessing
    postprocessing: tuple[Step, ...]


def read_contract(description: ModelDescr) -> Contract:
    """Read what a package takes and gives.

    Raises
    ------
    ModelError
        If it has not one image in and one out, or has a step that is not implemented.
    """
    for name, tensors in (("inputs", description.inputs), ("outputs", description.outputs)):
        if len(tensors) != 1:
            raise ModelError(f"it has {len(tensors)} {name}; one is needed.")
    image, probabilities = description.inputs[0], description.outputs[0]
    takes, gives = _axes(image), _axes(probabilities)
    channels = list(map(str, takes["channel"].channel_names))
    prepared = read_preprocessing(image.preprocessing, len(channels), str(image.id))
    normalization = prepared.normalization
    known: dict[str, Any] = {
        "input.channels": channels,
        "input.normalization": {"kind": "none", "units": "as_stored"}
        if normalization.kind == "none"
        else dict(vars(normalization)),
        **_sizes(takes),
        "name": str(description.name),
        "version": str(description.version or "1.0.0"),
        "description": str(description.description or ""),
        "licence": str(description.license or ""),
        "authors": [author.name for author in description.authors],
        "citation": "; ".join(
            f"{entry.text} {entry.doi or entry.url or ''}".strip() for entry in description.cite if entry.text
        ),
    }
    roles = list(map(str, gives["channel"].channel_names))
    if set(roles) <= set(ROLES):
        known["output.roles"] = roles
    halos = [getattr(gives[axis], "halo", None) for axis in "yx"]
    if None not in halos:
        known["output.halo"] = max(halos)
    content: dict[str, Any] = {}
    for name, value in known.items():
        if value not in ("", []):
            content = with_field(content, name, value)
    return Contract(image, probabilities, content, prepared, read_postprocessing(probabilities.postprocessing))


def _axes(tensor: InputTensorDescr | OutputTensorDescr) -> dict[str, Any]:
    names = [str(axis.id if axis.type == "space" else axis.type) for axis in tensor.axes]
    if names != ["batch", "channel", "y", "x"]:
        raise ModelError(f"its {tensor.id} has the axes {', '.join(names)}; batch, channel, y, x are needed.")
    return dict(zip(names, tensor.axes, strict=True))


def _sizes(axes: dict[str, Any]) -> dict[str, Any]:
    """Return what sizes the network takes, and the pixel size, where the description says so."""
    height, width = axes["y"], axes["x"]
    sizes = [size for size in (height.size, width.size) if isinstance(size, ParameterizedSize)]
    found: dict[str, Any] = {}
    # The format asks for min + n * step; cpunet for multiples of a step.
    if len(sizes) == 2 and sizes[0].step == sizes[1].step and not any(size.min % size.step for size in sizes):
        found = {"input.divisible_by": sizes[0].step, "input.min_size": max(size.min for size in sizes)}
    if (height.scale, height.unit) == (width.scale, width.unit) and height.unit in MICROMETERS:
        found["input.pixel_size_um"] = height.scale * MICROMETERS[height.unit]
    return found
