"""Write a model again from its weights, with the card that it has: nothing is tuned or scored a second time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.checks.stored_test import synthetic_input
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.card import ModelCard
from cpunet.model.session import load_model
from cpunet.steps.tiling import Predict


def kept_card(path: Path, predict: Predict, measured: ModelCard) -> ModelCard:
    """Return the card of a model file, if it is one of the same network.

    Parameters
    ----------
    path : Path
        The ONNX file that was exported from the same weights before.
    predict : callable
        The network of the weights: turns (N, C, Y, X) into probabilities.
    measured : ModelCard
        Of the weights; its halo is kept, as it was measured now.

    Returns
    -------
    ModelCard

    Raises
    ------
    ModelError
        If the file cannot be used, or holds another network: its thresholds and scores would be wrong for this one.
    """
    model = load_model(path, device="cpu")
    if (model.card.input.channels, model.card.output.roles) != (measured.input.channels, measured.output.roles):
        raise ModelError(
            f"{path}: its card is of a model of {', '.join(model.card.input.channels)}, and the weights are of one of "
            f"{', '.join(measured.input.channels)}. Give the file that was exported from these weights."
        )
    image = synthetic_input(model.card.input)
    try:
        check_agreement(model.predict(image), predict(image), Tolerance(), "the file and the weights")
    except DisagreementError as error:
        raise ModelError(
            f"{path}: its card cannot be kept, as it is of another network: {error} Tune and score these weights with "
            "--data instead."
        ) from None
    return replace(model.card, output=replace(model.card.output, halo=measured.output.halo))
