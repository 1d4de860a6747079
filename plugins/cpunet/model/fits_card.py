"""Compare what a network declares with what its model card says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from cpunet.errors import ModelError
from cpunet.model.card import IMAGES, INSTANCES, VOLUMES, ModelCard
from cpunet.model.instances import OUTPUTS

TILE_SHAPE_WAY_OUT = (
    ", or write this height and width into its card: `cpunet card add`, or `cpunet card edit --set "
    'input.tile_shape="[HEIGHT, WIDTH]"`.'
)


def check_fits_card(path: Path, card: ModelCard, session: Any) -> str:
    """Compare the network's declared input and outputs with its card, and return the name of the input.

    Raises
    ------
    ModelError
        If they do not fit; says what was found, and the way out.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if card.output.kind == INSTANCES:
        _check_gives_instances(path, outputs)
        outputs = []
    elif len(outputs) != 1:
        of_objects = {value.name for value in outputs} == set(OUTPUTS)
        why = (
            " They are those of a network that gives objects: its card lacks the kind instances." if of_objects else ""
        )
        raise ModelError(
            f"{path}: the network has {len(inputs)} inputs and {len(outputs)} outputs; one of each is needed.{why}"
        )
    if len(inputs) != 1:
        raise ModelError(f"{path}: the network has {len(inputs)} inputs; one is needed.")
    for what, value, channels in (
        ("input", inputs[0], len(card.input.channels)),
        *(("output", value, len(card.output.roles)) for value in outputs),
    ):
        axes = card.input.dimensions + 2
        if value.type == "tensor(float)" and len(value.shape) in (IMAGES + 2, VOLUMES + 2) and len(value.shape) != axes:
            raise ModelError(_other_dimensions(path, value.shape))
        if value.type != "tensor(float)" or len(value.shape) != axes:
            raise ModelError(
                f"{path}: the network's {what} is a {value.type} of shape {value.shape}; a float32 tensor "
                f"({'N, C, Y, X' if card.input.dimensions == IMAGES else 'N, C, Z, Y, X'}) is needed."
            )
        batch, _, *sides = value.shape
        if isinstance(batch, int) and batch != 1:
            raise ModelError(
                f"{path}: the network's {what} has the fixed shape {value.shape}; its batch must be free, or 1. Export "
                "the model again with a dynamic batch."
            )
        if any(isinstance(side, int) for side in sides) and sides != list(card.input.tile_shape or ()):
            raise ModelError(
                f"{path}: the network's {what} has the fixed shape {value.shape}, and its card says "
                f"{_size_in_card(card)}. Export the model again with dynamic axes, so that images of any size fit"
                f"{TILE_SHAPE_WAY_OUT if card.input.dimensions == IMAGES else '.'}"
            )
        if isinstance(value.shape[1], int) and value.shape[1] != channels:
            raise ModelError(
                f"{path}: the network's {what} has {value.shape[1]} channels and its card names {channels}. "
                "Export the model again."
            )
    name: str = inputs[0].name
    return name


def _check_gives_instances(path: Path, outputs: List[Any]) -> None:
    """Refuse a network whose outputs are not boxes, scores and masks of float32."""
    found = {value.name: value for value in outputs}
    if set(found) != set(OUTPUTS) or len(outputs) != len(OUTPUTS):
        raise ModelError(
            f"{path}: its card says that the network gives objects, as {', '.join(OUTPUTS)}, and its outputs are "
            f"{', '.join(value.name for value in outputs)}. Export the model again."
        )
    for name, axes in OUTPUTS.items():
        if found[name].type != "tensor(float)" or len(found[name].shape) != axes:
            raise ModelError(
                f"{path}: the network's output {name} is a {found[name].type} of shape {found[name].shape}; a float32 "
                f"tensor with {axes} axes is needed. Export the model again."
            )


def _other_dimensions(path: Path, shape: List[Any]) -> str:
    """Say that a network takes volumes and its card is one of images, or the reverse, and the way out."""
    if len(shape) == VOLUMES + 2:
        return (
            f"{path}: the network takes volumes, (N, C, Z, Y, X), and its card is one of images. A file without a card "
            "is taken for a network of images: give it one with `cpunet card add MODEL.onnx --dimensions 3 --z-step PX "
            "...`. In a card that it has, set input.dimensions=3 and input.z_step_px with `cpunet card edit`."
        )
    return (
        f"{path}: the network takes images, (N, C, Y, X), and its card is one of volumes. Export the model again, or "
        "set input.dimensions=2 and remove the fields of volumes from its card."
    )


def _size_in_card(card: ModelCard) -> str:
    shape = card.input.tile_shape
    return "that it takes any" if shape is None else f"that it takes {shape[0]} x {shape[1]} pixels alone"
