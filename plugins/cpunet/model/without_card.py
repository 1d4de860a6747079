"""Use an ONNX file that carries no model card: its user answers what the card would say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Dict, Sequence

from cpunet.errors import ModelError
from cpunet.model.card import METADATA_KEY, ROLES, InputCard, ModelCard, Normalization, OutputCard, Postprocessing
from cpunet.onnx_reader.metadata import read_metadata

# By the words in which a user chooses; the first is that of the models that cpunet trains.
NORMALIZATIONS_BY_NAME: Dict[str, Normalization] = {
    "percentile 1 to 99.8": Normalization(),
    "percentile 0.1 to 99.9": Normalization(percentile_low=0.1, percentile_high=99.9),
    "percentile 0 to 100": Normalization(percentile_low=0.0, percentile_high=100.0),
    "none": Normalization("none"),
}
# Right for a U-Net of up to five poolings, whose receptive field reaches a little over 64 pixels; smaller values would
# save time on a network that needs less, and give wrong rims of tiles on one that does not.
DIVISIBLE_BY, MIN_SIZE, HALO = 32, 32, 64
# How much smaller and larger than in training objects may be, since a network is commonly trained at one scale with
# some augmentation.
SMALLER, LARGER = 1.8, 2.0


def has_card(path: Path) -> bool:
    """Say whether an ONNX file carries a model card, sound or not.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool

    Raises
    ------
    ModelError
        If the file is missing, empty, cut short or no ONNX file, or cannot be read.
    """
    return METADATA_KEY in read_metadata(path)


def card_of_answers(
    name: str, channels: Sequence[str], roles: Sequence[str], normalization: str, diameter_px: float
) -> ModelCard:
    """Make a card for a file without one.

    Parameters
    ----------
    name : str
        Such as the file's name.
    channels : sequence of str
        A name for each channel that the network takes, in its order.
    roles : sequence of str
        What each channel that the network gives means, in its order; see `cpunet.model.card.ROLES`.
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
        If an answer cannot be; the message says which, and what can.
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
            description="A file without a model card; its user said what it takes and gives.",
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
