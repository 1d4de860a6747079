"""The card of a trained network: made from its training, or kept from a file that was exported before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cpunet.checks.agreement import Tolerance, check_agreement
from cpunet.checks.synthetic import synthetic_input
from cpunet.errors import DisagreementError, ModelError
from cpunet.model.card import IMAGES, VOLUMES, ModelCard
from cpunet.model.session import load_model
from cpunet.steps.tiling import Predict
from cpunet.training.config import TrainingConfig
from cpunet.training.evaluation.torch_model import card_for_training
from cpunet.training.facts import known_diameters
from cpunet.training.weights import TrainedNetwork


def card_from_training(trained: TrainedNetwork, command: str, halo: int) -> ModelCard:
    """Make the card of a trained network; thresholds and scores are added once they are measured.

    `command` rebuilds the model; `halo` is that of `cpunet.checks.halo.measure_halo`.
    """
    draft = card_for_training(trained.config)
    config, facts = trained.config, trained.facts
    return replace(
        draft,
        input=replace(draft.input, **known_diameters(facts)),
        output=replace(draft.output, halo=halo),
        provenance=provenance(config, facts, command),
    )


def provenance(config: TrainingConfig, facts: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Say in a card where a model comes from: its data, its training, and the command that rebuilds it."""
    return {
        "data": [
            {**found, "licence": source.licence, "source": source.source}
            for found, source in zip(facts["data"], config.data, strict=True)
        ],
        "seed": config.seed,
        "steps": facts.get("steps", config.steps),
        "commit": facts.get("commit", ""),
        "command": command,
        **{name: facts[name] for name in ("pretrained", "start_from", "average_with", "teachers") if name in facts},
    }


def kept_card(path: Path, predict: Predict, measured: ModelCard) -> ModelCard:
    """Return the card of a model file, if it holds the same network: nothing is tuned or scored again.

    Parameters
    ----------
    path : Path
        The ONNX file that was exported from the same weights before.
    predict : callable
        The network of the weights: turns (N, C, Y, X), or (N, C, Z, Y, X), into probabilities.
    measured : ModelCard
        Of the weights. Its halo is taken, as it was measured now.

    Raises
    ------
    ModelError
        If the file cannot be used, or holds another network: its thresholds and scores would be wrong for this one.
    """
    model = load_model(path, device="cpu")
    if model.card.input.dimensions != measured.input.dimensions:
        kinds = {IMAGES: "images", VOLUMES: "volumes"}
        raise ModelError(
            f"{path}: its card is of a model of {kinds[model.card.input.dimensions]}, and the weights are of one of "
            f"{kinds[measured.input.dimensions]}. Give the file that was exported from these weights."
        )
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
    halo, halo_planes = measured.output.halo, measured.output.halo_planes
    return replace(model.card, output=replace(model.card.output, halo=halo, halo_planes=halo_planes))
