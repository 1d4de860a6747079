"""What the description of a bioimage.io package says of the model's input and output, in the card's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cpunet.errors import ModelError
from cpunet.export.bioimageio.steps import Preprocessing, Step, read_postprocessing, read_preprocessing
from cpunet.export.card.fields import with_field
from cpunet.model.card import ROLES, Normalization

FORMAT = "0.5."
MICROMETERS = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3}


@dataclass(frozen=True)
class Ends:
    """What a package's description says of its input and output.

    Attributes
    ----------
    input, output : mapping
        Of the description.
    known : dict
        The card's content as far as the description has it.
    preprocessing : Preprocessing
    postprocessing : tuple of Step
    """

    input: Mapping[str, Any]
    output: Mapping[str, Any]
    known: dict[str, Any]
    preprocessing: Preprocessing
    postprocessing: tuple[Step, ...]


def read_ends(description: Mapping[str, Any]) -> Ends:
    """Read what a package takes and gives.

    Parameters
    ----------
    description : mapping
        What rdf.yaml holds.

    Returns
    -------
    Ends

    Raises
    ------
    ModelError
        If it is no model of format 0.5 with one image in and one out, or has a step that is not implemented.
    """
    version = str(description.get("format_version"))
    if description.get("type") != "model" or not version.startswith(FORMAT):
        raise ModelError(
            f"it is a {description.get('type')} of format {version}; a model of format 0.5 is needed. "
            "For an older one: bioimageio update-format PACKAGE OUTPUT"
        )
    tensors = []
    for name in ("inputs", "outputs"):
        listed = description.get(name)
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], Mapping):
            raise ModelError(f"it has {len(listed) if isinstance(listed, list) else 'no'} {name}; one is needed.")
        tensors.append(listed[0])
    image, probabilities = tensors
    takes, gives = _axes(image, "input"), _axes(probabilities, "output")
    channels = _texts(takes["channel"].get("channel_names"), "the input's channel_names")
    prepared = read_preprocessing(image.get("preprocessing"), len(channels), str(image.get("id", "input")))
    decoded = read_postprocessing(probabilities.get("postprocessing"))
    known: dict[str, Any] = {
        "input.channels": channels,
        "input.normalization": _content(prepared.normalization),
        **_sizes(takes),
        "name": description.get("name"),
        "version": str(description.get("version") or "1.0.0"),
        "description": description.get("description"),
        "licence": description.get("license"),
        "authors": [entry.get("name") for entry in _mappings(description.get("authors"))],
        "citation": "; ".join(
            f"{entry.get('text')} {entry.get('doi') or entry.get('url') or ''}".strip()
            for entry in _mappings(description.get("cite"))
        ),
    }
    roles = _texts(gives["channel"].get("channel_names"), "the output's channel_names")
    if set(roles) <= set(ROLES):
        known["output.roles"] = roles
    halos = [gives[axis].get("halo") for axis in "yx"]
    if all(isinstance(halo, int) and not isinstance(halo, bool) for halo in halos):
        known["output.halo"] = max(halos)
    content: dict[str, Any] = {}
    for name, value in known.items():
        if value not in (None, "", []):
            content = with_field(content, name, value)
    return Ends(image, probabilities, content, prepared, decoded)


def _content(normalization: Normalization) -> dict[str, Any]:
    return {"kind": "none"} if normalization.kind == "none" else vars(normalization).copy()


def _axes(tensor: Mapping[str, Any], what: str) -> dict[str, Mapping[str, Any]]:
    axes = _mappings(tensor.get("axes"))
    names = [str(axis.get("id", axis.get("type"))) for axis in axes]
    if names != ["batch", "channel", "y", "x"]:
        raise ModelError(f"its {what} has the axes {', '.join(names) or '?'}; batch, channel, y, x are needed.")
    return dict(zip(names, axes, strict=True))


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _texts(value: object, what: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ModelError(f"{what} is no list of texts: {value!r}.")
    return value


def _sizes(axes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what sizes the network takes, and the pixel size, where the description says so."""
    sizes = [axes[axis].get("size") for axis in "yx"]
    found: dict[str, Any] = {}
    if all(isinstance(size, Mapping) and _positive(size.get("min")) and _positive(size.get("step")) for size in sizes):
        steps, smallest = ({size[name] for size in sizes} for name in ("step", "min"))
        # The format asks for min + n * step; cpunet for multiples of a step.
        if len(steps) == 1 and all(size % max(steps) == 0 for size in smallest):
            found = {"input.divisible_by": max(steps), "input.min_size": max(smallest)}
    scales = {(axes[axis].get("scale"), axes[axis].get("unit")) for axis in "yx"}
    scale, unit = scales.pop()
    if not scales and isinstance(scale, (int, float)) and unit in MICROMETERS:
        found["input.pixel_size_um"] = scale * MICROMETERS[unit]
    return found


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
