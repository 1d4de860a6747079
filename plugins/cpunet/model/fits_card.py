"""Compare a network that onnxruntime has opened with the model card that goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cpunet.errors import ModelError
from cpunet.model.card import ModelCard


def check_fits_card(path: Path, card: ModelCard, session: Any) -> str:
    """Compare a network's declared input and output with its card.

    Parameters
    ----------
    path : Path
        Of its file.
    card : ModelCard
    session : onnxruntime.InferenceSession

    Returns
    -------
    str
        The name of the network's input.

    Raises
    ------
    ModelError
        If there is more than one input or output, or one has another type, another number of channels than the card
        names, or a fixed size.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"{path}: the network has {len(inputs)} inputs and {len(outputs)} outputs; one of each is needed."
        )
    for what, value, channels in (
        ("input", inputs[0], len(card.input.channels)),
        ("output", outputs[0], len(card.output.roles)),
    ):
        if value.type != "tensor(float)" or len(value.shape) != 4:
            raise ModelError(
                f"{path}: the network's {what} is a {value.type} of shape {value.shape}; a float32 tensor "
                "(N, C, Y, X) is needed."
            )
        if any(isinstance(size, int) for size in (value.shape[0], *value.shape[2:])):
            raise ModelError(
                f"{path}: the network's {what} has the fixed shape {value.shape}; its batch, height and width must "
                "be free, so that images of any size fit. Export the model again with dynamic axes."
            )
        if isinstance(value.shape[1], int) and value.shape[1] != channels:
            raise ModelError(
                f"{path}: the network's {what} has {value.shape[1]} channels and its card names {channels}. "
                "Export the model again."
            )
    name: str = inputs[0].name
    return name
