"""What the description of a bioimage.io package says of the model's input and output, in the card's words."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from bioimageio.spec.model.v0_5 import (
    InputTensorDescr,
    ModelDescr,
    OutputTensorDescr,
    ParameterizedSize,
    SizeReference,
)
from numpy.typing import NDArray

from cpunet.errors import ModelError
from cpunet.export.bioimageio.steps import FLOATS, Preprocessing, Step, read_postprocessing, read_preprocessing
from cpunet.export.bioimageio.tensors import Layout, read_layout
from cpunet.export.card.fields import with_field
from cpunet.model.card import ROLES, VOLUMES

NAMES = {"z": "depth", "y": "height", "x": "width"}
MICROMETERS = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3}
# What authors of packages call the roles, without marks between the words.
SYNONYMS = {
    "foreground": ("fg", "foregroundprobability", "foregroundprobabilities", "probability", "probabilities", "mask"),
    "boundary": ("boundaries", "boundaryprobability", "boundaryprobabilities", "edge", "edges", "contour", "contours"),
    "background": ("bg", "backgroundprobability"),
    "interior": ("inside", "interiorprobability"),
}
# A single channel of such a name can be nothing but the foreground.
NAMELESS = re.compile(r"(channel|output|ch|c)?_?\d*$|nucle(us|i)$|cells?$|segmentation$|prediction$", re.IGNORECASE)


@dataclass(frozen=True)
class Contract:
    """What a package's description says of its input and output.

    Attributes
    ----------
    input : InputTensorDescr
    output : OutputTensorDescr
    takes, gives : Layout
        Of the input and the output.
    one_at_a_time : bool
        Whether the package takes one image at a time.
    known : dict
        The card's content as far as the description has it.
    preprocessing : Preprocessing
    postprocessing : tuple of Step
    notes : tuple of str
        What was taken for granted, a sentence each.
    """

    input: InputTensorDescr
    output: OutputTensorDescr
    takes: Layout
    gives: Layout
    one_at_a_time: bool
    known: dict[str, Any]
    preprocessing: Preprocessing
    postprocessing: tuple[Step, ...]
    notes: tuple[str, ...]


def read_contract(description: ModelDescr) -> Contract:
    """Read what a package takes and gives.

    Raises
    ------
    ModelError
        If it has not one image in and one out, or has a step that is not implemented.
    """
    for name, tensors in (("inputs", description.inputs), ("outputs", description.outputs)):
        if len(tensors) != 1:
            named = ", ".join(str(tensor.id) for tensor in tensors)
            raise ModelError(
                f"it has {len(tensors)} {name} ({named}); one image in and one out are needed. Export the network with "
                "one of each, several channels in it if need be."
            )
    image, probabilities = description.inputs[0], description.outputs[0]
    takes, input_axes = read_layout(image)
    gives, output_axes = read_layout(probabilities)
    prepared = read_preprocessing(image.preprocessing, takes, str(image.id), image.dtype)
    normalization = prepared.normalization
    if takes.space != gives.space:
        raise ModelError(
            f"its input has the axes {', '.join(takes.names)} and its output {', '.join(gives.names)}; both must have "
            "planes (z), or neither. Ask its author to correct it."
        )
    _check_sizes_agree(image, input_axes, probabilities, output_axes)
    roles, notes = _roles(_channel_names(output_axes, "output"))
    known: dict[str, Any] = {
        "input.channels": _channel_names(input_axes, str(image.id)),
        "input.normalization": {
            name: value for name, value in vars(normalization).items() if normalization.kind != "none" or name == "kind"
        },
        **_sizes(input_axes),
        "name": str(description.name),
        "version": str(description.version or "1.0.0"),
        "description": str(description.description or ""),
        "licence": str(description.license or ""),
        "authors": [author.name for author in description.authors],
        "citation": "; ".join(
            f"{entry.text} {entry.doi or entry.url or ''}".strip() for entry in description.cite if entry.text
        ),
    }
    if roles:
        known["output.roles"] = roles
    halos = {axis: getattr(output_axes[axis], "halo", None) for axis in takes.space}
    if any(halo is not None for halo in halos.values()):
        known["output.halo"] = max(halos[axis] or 0 for axis in "yx")
        if "z" in halos:
            known["output.halo_planes"] = halos["z"] or 0
    content: dict[str, Any] = {}
    for name, value in known.items():
        if value not in ("", []):
            content = with_field(content, name, value)
    one_at_a_time = "batch" not in input_axes or input_axes["batch"].size == 1
    return Contract(
        image,
        probabilities,
        takes,
        gives,
        one_at_a_time,
        content,
        prepared,
        read_postprocessing(probabilities.postprocessing, gives),
        (*prepared.notes, *notes),
    )


def units_of(image: InputTensorDescr, test_input: NDArray[np.float32]) -> str:
    """Return in which of `cpunet.model.card.UNITS` a package takes its images.

    Whole numbers are those of files. Of other numbers, the range that the description gives decides, or else that of
    the package's own test.
    """
    described = image.data[0] if isinstance(image.data, (list, tuple)) else image.data
    if described.type not in FLOATS:
        return "as_stored"
    low, high = getattr(described, "range", (None, None))
    if low is None or high is None:
        low, high = float(test_input.min()), float(test_input.max())
    return "zero_to_one" if low >= 0 and high <= 1 else "as_stored"


def _channel_names(axes: dict[str, Any], otherwise: str) -> list[str]:
    return list(map(str, axes["channel"].channel_names)) if "channel" in axes else [otherwise]


def _roles(names: list[str]) -> tuple[list[str], list[str]]:
    """Return the roles that the channels' names say, none if one says nothing; and what was taken for granted."""
    by_name = {synonym: role for role, synonyms in SYNONYMS.items() for synonym in synonyms}
    by_name |= {role: role for role in ROLES}
    found = [by_name.get(re.sub(r"[^a-z]", "", name.lower()), "") for name in names]
    if len(names) == 1 and not found[0] and NAMELESS.match(names[0]):
        found = ["foreground"]
    if not all(found) or len(set(found)) < len(found):
        return [], []
    taken = [(name, role) for name, role in zip(names, found, strict=True) if name != role]
    return found, [
        f"the output channel {name!r} is taken for {role}; if it is something else, say so with --roles"
        for name, role in taken
    ]


def _sizes(axes: dict[str, Any]) -> dict[str, Any]:
    """Return what sizes the network takes, and the pixel size, where the description says so."""
    height, width = axes["y"], axes["x"]
    sizes = [height.size, width.size]
    found: dict[str, Any] = _of_planes(axes["z"], height, sizes) if "z" in axes else {}
    if all(isinstance(size, int) for size in sizes):
        found |= {"input.tile_shape": sizes}
    elif all(isinstance(size, ParameterizedSize) for size in sizes):
        # The format asks for min + n * step; cpunet for multiples of a step.
        if not any(size.min % size.step for size in sizes):
            unit = math.lcm(*(size.step for size in sizes))
            found |= {"input.divisible_by": unit, "input.min_size": max(size.min for size in sizes)}
    else:
        raise ModelError(
            f"its input has the height {_shown(sizes[0])} and the width {_shown(sizes[1])}; both must be fixed, or "
            "both free. Ask its author to correct it."
        )
    if (height.scale, height.unit) == (width.scale, width.unit) and height.unit in MICROMETERS:
        found["input.pixel_size_um"] = height.scale * MICROMETERS[height.unit]
    return found


def _of_planes(depth: Any, height: Any, sizes: list[Any]) -> dict[str, Any]:
    """Return how many planes a network of volumes takes, and how far apart they lie."""
    fixed = [size for size in (depth.size, *sizes) if not isinstance(size, ParameterizedSize)]
    if fixed:
        raise ModelError(
            f"its input is a volume of the fixed depth, height or width {_shown(fixed[0])}; a network of volumes must "
            "take any. Ask its author to export it with dynamic axes."
        )
    found: dict[str, Any] = {"input.dimensions": VOLUMES}
    if depth.size.min % depth.size.step == 0:
        found |= {"input.divisible_by_planes": depth.size.step, "input.min_planes": depth.size.min}
    said = depth.unit == height.unit and (depth.unit is not None or depth.scale != height.scale)
    if said or {depth.unit, height.unit} <= MICROMETERS.keys():
        found["input.z_step_px"] = (
            depth.scale * MICROMETERS.get(depth.unit, 1.0) / (height.scale * MICROMETERS.get(height.unit, 1.0))
        )
    return found


def _check_sizes_agree(
    image: InputTensorDescr, takes: dict[str, Any], probabilities: OutputTensorDescr, gives: dict[str, Any]
) -> None:
    """Refuse an output that is not as large as the input."""
    for axis in [each for each in "zyx" if each in takes]:
        given, size = takes[axis], gives[axis].size
        if isinstance(size, SizeReference):
            alike = str(size.tensor_id) == str(image.id) and str(size.axis_id) == axis and size.offset == 0
            alike = alike and math.isclose(gives[axis].scale, given.scale)
        else:
            alike = size == given.size
        if not alike:
            raise ModelError(
                f"its output {probabilities.id} has another {NAMES[axis]} than its input: "
                f"{_shown(size)}, scale {gives[axis].scale:g}, and the input's is {_shown(given.size)}, scale "
                f"{given.scale:g}. Only networks whose output is as large as their input can be used: export it with "
                "padded convolutions, and enlarged to the input's size."
            )


def _shown(size: Any) -> str:
    if isinstance(size, ParameterizedSize):
        return f"{size.min} + n * {size.step}"
    if isinstance(size, SizeReference):
        return f"that of {size.tensor_id}.{size.axis_id} {size.offset:+d}"
    return str(size)
