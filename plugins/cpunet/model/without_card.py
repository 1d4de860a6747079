"""Use an ONNX file that carries no model card: the user gives what the card would state."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Dict, Sequence

from cpunet.errors import ModelError
from cpunet.model.card import METADATA_KEY, ROLES, InputCard, ModelCard, Normalization, OutputCard, Postprocessing
from cpunet.onnx_reader.metadata import CHOOSER_KEY, read_metadata

# The choices of the user by name; the first is that of the models that cpunet trains.
NORMALIZATIONS_BY_NAME: Dict[str, Normalization] = {
    "percentile 1 to 99.8": Normalization(),
    "percentile 0.1 to 99.9": Normalization(percentile_low=0.1, percentile_high=99.9),
    "percentile 0 to 100": Normalization(percentile_low=0.0, percentile_high=100.0),
    "none": Normalization("none", units="zero_to_one"),
}
# These suit a U-Net with up to five poolings, whose receptive field reaches a little over 64 pixels. Smaller values
# would save time for a smaller network, and give wrong probabilities at the edges of tiles for this one.
DIVISIBLE_BY, MIN_SIZE, HALO = 32, 32, 64
# Such a file is one of images. What volumes need besides (z step, planes of the halo), `cpunet card add` asks for.
# How much smaller and larger than in training objects may be: networks are commonly trained at one scale, with some
# augmentation.
SMALLER, LARGER = 1.8, 2.0


def has_card(path: Path) -> bool:
    """Return True if an ONNX file carries a card, valid or not; ModelError if the file cannot be read."""
    metadata = read_metadata(path)
    return METADATA_KEY in metadata or CHOOSER_KEY in metadata  # the latter is no model, as reading its card says


def card_of_answers(
    name: str, channels: Sequence[str], roles: Sequence[str], normalization: str, diameter_px: float
) -> ModelCard:
    """Make a card for a file without one.

    Parameters
    ----------
    name : str
        Such as the file's name.
    channels : sequence of str
        A name for each input channel of the network, in its order.
    roles : sequence of str
        The meaning of each output channel, in its order; see `cpunet.model.card.ROLES`.
    normalization : str
        A key of `NORMALIZATIONS_BY_NAME`.
    diameter_px : float
        Typical diameter of the objects on which the network was trained, pixels.

    Returns
    -------
    ModelCard
        Its sizes suit most U-Nets; all thresholds are 0.5.

    Raises
    ------
    ModelError
        If an answer is impossible; the message says which, and what is possible.
    """
    for number, role in enumerate(roles, 1):
        if role not in ROLES:
            raise ModelError(
                f"The output channel {number} of the model {name} was given the meaning {role!r}; choose one of: "
                f"{', '.join(ROLES)}."
            )
    if normalization not in NORMALIZATIONS_BY_NAME:
        raise ModelError(
            f"There is no normalization called {normalization!r}; choose one of: {', '.join(NORMALIZATIONS_BY_NAME)}."
        )
    if not 0 < diameter_px < math.inf:
        raise ModelError(
            f"The diameter of the objects that the model {name} was trained on must be larger than 0 pixels; it is "
            f"{diameter_px}."
        )
    try:
        return ModelCard(
            name=name,
            version="without a card",
            description="A file without a model card; its user described its input and output.",
            licence="not stated",
            input=InputCard(
                channels=tuple(channels),
                divisible_by=DIVISIBLE_BY,
                min_size=MIN_SIZE,
                normalization=NORMALIZATIONS_BY_NAME[normalization],
                diameter_px=float(diameter_px),
                diameter_low_px=diameter_px / SMALLER,
                diameter_high_px=diameter_px * LARGER,
                modality="not stated",
            ),
            output=OutputCard(tuple(roles), HALO),
            postprocessing=Postprocessing(),
        )
    except ModelError as error:
        raise ModelError(f"The answers for the model {name}, which has no card, do not fit together. {error}") from None
